"""An application that does nothing, to compare the API with."""

from fastapi import FastAPI, Request

app = FastAPI()


@app.get("/")
def empty() -> dict[str, str]:
    return {}


@app.post("/")
async def drain(request: Request) -> dict[str, str]:
    async for _ in request.stream():
        pass
    return {}
