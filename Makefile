# `make` alone lists the targets. Everything is installed into .venv and nothing into the system, with one exception:
# PostgreSQL refuses to run as root, so under root the embedded one gets a user `pgserver`.

PYTHON = python3 python3.14 python3.13 python3.12 python3.11
READY_TIMEOUT_S = 120
FOLDER = screenshots

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# The caller's shell may have another project's environment active.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME UV_PYTHON
# Without bytecode on disk, every process would compile all of its modules again.
unexport PYTHONDONTWRITEBYTECODE
export UV_PROJECT_ENVIRONMENT = .venv

# A company's proxy may use a CA that only this machine knows. By default uv trusts its own list of CAs only, which is
# right for a machine without certificates. pip (24.2 and newer) trusts both.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem),)
UV_SYSTEM_CERTS ?= 1
export UV_SYSTEM_CERTS
endif

run_python = .venv/bin/python -m
run_tests = $(run_python) pytest -n auto --dist loadfile --no-loadscope-reorder
is_set_up = test -e .venv/bin/supervisord
docker_answers = docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
compose_runs = $(docker_answers) && test -n "$$(docker compose ps --quiet 2>/dev/null)"
# The last lines of each service that is not healthy, has not ended successfully and does not wait for another one.
show_what_failed = docker compose ps --all; for service in $$( \
	docker compose ps --all --format '{{.Service}} {{.State}}{{.Health}}{{.ExitCode}}' \
	| grep -v -E ' (runninghealthy0|exited0|created0)$$' | cut -d ' ' -f 1 | sort -u); \
	do docker compose logs --no-color --tail 20 $$service; done
# The variable $(1) from the command line or the shell, else from .env, else $(2).
value_of = $${$(1):-$$(sed -n 's/^$(1)=//p' .env 2>/dev/null | grep . || echo $(2))}
logs_dir = $(call value_of,DATA_DIR,.local)/logs

define print_links
	@echo "Page    http://127.0.0.1:$(call value_of,API_PORT,8000)/"
	@echo "API     http://127.0.0.1:$(call value_of,API_PORT,8000)/docs"
	@echo "Flower  http://127.0.0.1:$(call value_of,FLOWER_PORT,5555)/ (user:password $(call value_of,FLOWER_BASIC_AUTH))"
endef

.PHONY: env help demo test test-all test-fast check format migration run run-docker run-local down logs users bench screenshots clean

help: ## list the targets
	@echo "wav2mp3 converts WAV files to MP3. Try \`make demo\`."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo "API_PORT=8001 FLOWER_PORT=5556 DATA_DIR=/somewhere set the ports and the folder for the data."

demo: .venv/runtime env ## convert FILE=song.wav, or a generated WAV, and save the MP3 in this folder
	@$(run_python) local ready || $(run_python) local start
	@$(run_python) local.demo "$$FILE"
	$(print_links)

test: .venv/everything ## run the tests, against embedded stacks of their own, in five minutes on two cores
	@$(run_tests) -m "not exhaustive"

test-all: .venv/everything ## run every test, as in CI
	@$(run_tests)

test-fast: .venv/everything ## run the tests that need no service, in under a minute
	@$(run_python) pytest -n auto -m "not stack and not slow"

check: .venv/everything ## check format, lint, types and the import rules
	@$(run_python) ruff format --check
	@$(run_python) ruff check
	@$(run_python) mypy
	@.venv/bin/lint-imports
	@.venv/bin/oxlint api/static
	@.venv/bin/hadolint Dockerfile.*
	@test ! -x .venv/bin/shellcheck || .venv/bin/shellcheck .ci/run

format: .venv/everything ## format the code and sort its imports
	@$(run_python) ruff check --select I --fix
	@$(run_python) ruff format

migration: .venv/runtime ## write the migration NAME=add_rating for a changed table in shared/db/models.py
	@$(run_python) local.migration "$(NAME)"

run: ## start the service: in Docker Compose if Docker answers, else embedded
	@if $(docker_answers); then \
		echo "Docker answers: starting with Docker Compose. To start without it: make run-local"; \
		$(MAKE) run-docker; \
	else \
		echo "Docker Compose does not answer: starting the embedded stack."; \
		$(MAKE) run-local; \
	fi

run-docker: env ## start the service in Docker Compose
	@docker compose up --build --detach --wait --wait-timeout $(READY_TIMEOUT_S) \
		|| { $(show_what_failed); exit 1; } >&2
	@echo "Ready."
	$(print_links)

run-local: .venv/runtime env ## start the service without Docker: PostgreSQL, Valkey and ffmpeg come from packages
	@$(run_python) local start
	@echo "Ready."
	$(print_links)

down: ## stop the service, in Docker or embedded; all data is kept
	@if test -z "$(DATA_DIR)" && $(compose_runs); then docker compose down; \
	elif ! $(is_set_up); then echo "Nothing to stop: the service was never started here."; fi
	@if $(is_set_up); then $(run_python) local stop; fi

logs: ## follow the logs
	@if test -z "$(DATA_DIR)" && $(compose_runs); then docker compose logs --follow --tail 20; \
	elif test -d "$(logs_dir)"; then tail -n 20 -F "$(logs_dir)"/*.log; \
	else echo "No logs: the service was never started here."; fi

users: ## list the ten users that store most
	@if test -z "$(DATA_DIR)" && $(compose_runs); then docker compose exec -T api python -m api.largest_users; \
	elif $(is_set_up); then $(run_python) local users; \
	else echo "No users: the service was never started here."; fi

screenshots: .venv/everything ## write pictures of the page into FOLDER=screenshots, and the one of the README
	@$(run_python) tests.browser.screenshots "$(FOLDER)"

bench: .venv/everything ## measure how fast it converts
	@$(run_python) tests.bench

clean: down ## stop the service and remove everything that can be made again; data and .env stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Adds missing lines to .env and never changes existing ones: the database was created with these passwords.
env:
	@set -e; umask 077; random() { od -An -N 16 -tx1 /dev/urandom | tr -d ' \n'; }; \
	test -s .env || echo "# Written by make. You can add every setting of the service here (README.md)." > .env; \
	test -z "$$(tail -c 1 .env)" || echo >> .env; chmod 600 .env; \
	for line in API_PORT=8000 FLOWER_PORT=5555 "FLOWER_BASIC_AUTH=flower:$$(random)" \
		"POSTGRES_PASSWORD=$$(random)" "REDIS_PASSWORD=$$(random)" \
		"ADMIN_TOKEN=$$(random)" "LINK_KEYS=$$(random)"; do \
		grep -q "^$${line%%=*}=." .env || echo "$$line" >> .env; \
	done

# `--inexact` keeps the packages of .venv/everything if they are installed.
.venv/runtime: pyproject.toml uv.lock | .venv/bin/uv
	@.venv/bin/uv sync --locked --inexact --no-default-groups --group api --group worker --group local
	@touch $@

.venv/everything: pyproject.toml uv.lock | .venv/bin/uv
	@.venv/bin/uv sync --locked
	@touch .venv/runtime $@

.venv/bin/uv:
	@for python in $(PYTHON) ""; do \
		test -z "$$python" || ! $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || break; \
	done; \
	if test -z "$$python"; then \
		echo "This needs Python 3.11 or newer. Install it, or name its path: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python cannot make a virtual environment. On Debian and Ubuntu install the package python3-venv." >&2; exit 1; \
	fi; \
	echo "Setting up .venv. This happens once and takes about a minute."; \
	$$python -m venv --clear .venv && \
	.venv/bin/python -m pip install --disable-pip-version-check \
		"uv==$$(sed -n '/^name = "uv"$$/{n;s/version = "\(.*\)"/\1/p;}' uv.lock)"
