"""The title of an answer's status, as RFC 9110 names it."""

from http import HTTPStatus

RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""Python renamed these in 3.13. A title must not depend on the Python that runs the service."""


def status_title(status: int) -> str:
    return RENAMED.get(status) or HTTPStatus(status).phrase
