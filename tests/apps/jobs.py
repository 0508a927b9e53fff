"""A FastAPI service without one line of authentication: what it knows of its callers, the gateway tells it."""

import socket

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

app = FastAPI(title="Jobs")
jobs = []


class Job(BaseModel):
    title: str


@app.get("/public/hello")
def hello():
    return {"hello": "world"}


@app.get("/jobs")
def list_jobs():
    return jobs


@app.post("/jobs", status_code=201)
def post_job(job: Job, request: Request):
    jobs.append({"title": job.title, "by": request.headers.get("remote-user")})
    return jobs[-1]


@app.get("/whoami")
def who_am_i(request: Request):
    names = ("remote-user", "remote-groups", "remote-name", "remote-email", "authorization")
    return {name: request.headers.get(name) for name in names}


if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
