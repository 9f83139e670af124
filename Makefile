# `make` alone explains every target. Everything is installed into .venv, nothing into the system; only as root, since
# PostgreSQL does not run as root, the embedded one gets a user `pgserver`.

PYTHON = python3 python3.14 python3.13 python3.12 python3.11
READY_TIMEOUT_S = 120

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# another project's environment in the caller's shell is not ours
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME UV_PYTHON
export UV_PROJECT_ENVIRONMENT = .venv

run_python = .venv/bin/python -m
docker_answers = docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
compose_runs = $(docker_answers) && test -n "$$(docker compose ps --quiet 2>/dev/null)"
# the last lines of each service that neither is healthy nor has done its work nor waits for another
show_what_failed = docker compose ps --all; for service in $$( \
	docker compose ps --all --format '{{.Service}} {{.State}}{{.Health}}{{.ExitCode}}' \
	| grep -v -E ' (runninghealthy0|exited0|created0)$$' | cut -d ' ' -f 1 | sort -u); \
	do docker compose logs --no-color --tail 20 $$service; done
# from the command line or the shell, else from .env, else $(2)
value_of = $${$(1):-$$(sed -n 's/^$(1)=//p' .env 2>/dev/null | grep . || echo $(2))}

define print_links
	@echo "Ready."
	@echo "Page    http://127.0.0.1:$(call value_of,API_PORT,8000)/"
	@echo "API     http://127.0.0.1:$(call value_of,API_PORT,8000)/docs"
	@echo "Flower  http://127.0.0.1:$(call value_of,FLOWER_PORT,5555)/ (user:password $(call value_of,FLOWER_BASIC_AUTH))"
endef

.PHONY: env help demo test check format migration run run-docker run-local down logs bench clean

help: ## this list
	@echo "wav2mp3: turns WAV into MP3. Try \`make demo\`."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo "API_PORT=8001 FLOWER_PORT=5556 DATA_DIR=/somewhere choose other ports and another folder for the data."

demo: .venv/synced env ## convert FILE=song.wav, or a WAV of its own, and save the MP3 here
	@$(run_python) local ready || $(MAKE) run-local
	@$(run_python) local.demo "$$FILE"

test: .venv/synced ## every test, against the embedded stack
	@$(run_python) pytest

check: .venv/synced ## format, lint, types and the import rules
	@$(run_python) ruff format --check
	@$(run_python) ruff check
	@$(run_python) mypy
	@.venv/bin/lint-imports
	@.venv/bin/oxlint api/static
	@.venv/bin/hadolint Dockerfile.*
	@test ! -x .venv/bin/shellcheck || .venv/bin/shellcheck .ci/run

format: .venv/synced ## format the code and put its imports in order
	@$(run_python) ruff check --select I --fix
	@$(run_python) ruff format

migration: .venv/synced ## write the migration NAME=add_rating for a changed table in shared/db/models.py
	@$(run_python) local.migration "$(NAME)"

run: ## start the service: in Docker Compose where Docker answers, else embedded
	@if $(docker_answers); then \
		echo "Docker answers: starting with Docker Compose (make run-local: without)."; \
		$(MAKE) run-docker; \
	else \
		echo "No Docker Compose answers: starting the embedded stack."; \
		$(MAKE) run-local; \
	fi

run-docker: env ## start the service in Docker Compose
	@docker compose up --build --detach --wait --wait-timeout $(READY_TIMEOUT_S) \
		|| { $(show_what_failed); exit 1; } >&2
	$(print_links)

run-local: .venv/synced env ## start the service without Docker: PostgreSQL, Valkey and ffmpeg from packages
	@$(run_python) local start
	$(print_links)

down: ## stop the service, however it runs; all data is kept
	@if test -z "$(DATA_DIR)" && $(compose_runs); then docker compose down; fi
	@if test -e .venv/synced; then $(run_python) local stop; fi

logs: ## follow the logs
	@if test -z "$(DATA_DIR)" && $(compose_runs); then docker compose logs --follow --tail 20; \
	else tail -n 20 -F "$(call value_of,DATA_DIR,.local)"/logs/*.log; fi

bench: .venv/synced ## measure how fast it converts
	@$(run_python) tests.bench

clean: down ## stop the service and remove what can be made again; data and .env stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Completed, never changed: the passwords in it belong to the data.
env:
	@set -e; umask 077; random() { od -An -N 16 -tx1 /dev/urandom | tr -d ' \n'; }; \
	test -s .env || echo "# Written by make. Every setting of the service may be added here (README.md)." > .env; \
	test -z "$$(tail -c 1 .env)" || echo >> .env; chmod 600 .env; \
	for line in API_PORT=8000 FLOWER_PORT=5555 "FLOWER_BASIC_AUTH=flower:$$(random)" \
		"POSTGRES_PASSWORD=$$(random)" "REDIS_PASSWORD=$$(random)"; do \
		grep -q "^$${line%%=*}=." .env || echo "$$line" >> .env; \
	done

.venv/synced: pyproject.toml uv.lock | .venv/bin/uv
	@.venv/bin/uv sync --locked --quiet
	@touch $@

.venv/bin/uv:
	@for python in $(PYTHON) ""; do \
		test -z "$$python" || ! $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || break; \
	done; \
	if test -z "$$python"; then \
		echo "This needs Python 3.11 or newer. Install it, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python cannot make a virtual environment. On Debian and Ubuntu install the package python3-venv." >&2; exit 1; \
	fi; \
	echo "Setting up .venv, once: this takes a minute."; \
	$$python -m venv --clear .venv && \
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
		"uv==$$(sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)"
