"""An application with one empty endpoint, to compare status polls with."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def empty() -> dict[str, str]:
    return {}
