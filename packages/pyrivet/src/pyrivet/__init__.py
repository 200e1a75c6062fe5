"""Durable actors in Python on Rivet Engine."""

from pyrivet._actions import action, queue
from pyrivet._connection import Connection
from pyrivet._database import Database, Result
from pyrivet._kv import KeyValue
from pyrivet._queue import Queue
from pyrivet._raw import Request, Response
from pyrivet._schedule import Alarm, Schedule
from pyrivet._subscription import Subscription
from pyrivet._transaction import Transaction
from pyrivet._websocket import WebSocket
from pyrivet.actor import Actor, ActorOptions
from pyrivet.client import ActorHandle, Client
from pyrivet.engine import Engine, find_engine
from pyrivet.errors import (
    ActionError,
    ActorNotFound,
    CallInterrupted,
    ClientGone,
    DatabaseError,
    DatabaseInterrupted,
    DeadlineExceeded,
    EngineError,
    EventsLost,
    ProtocolError,
    RivetError,
    Unreachable,
    WorkerError,
)
from pyrivet.worker import Worker

__all__ = [
    "ActionError",
    "Actor",
    "ActorHandle",
    "ActorNotFound",
    "ActorOptions",
    "Alarm",
    "CallInterrupted",
    "Client",
    "ClientGone",
    "Connection",
    "Database",
    "DatabaseError",
    "DatabaseInterrupted",
    "DeadlineExceeded",
    "Engine",
    "EngineError",
    "EventsLost",
    "KeyValue",
    "ProtocolError",
    "Queue",
    "Request",
    "Response",
    "Result",
    "RivetError",
    "Schedule",
    "Subscription",
    "Transaction",
    "Unreachable",
    "WebSocket",
    "Worker",
    "WorkerError",
    "action",
    "find_engine",
    "queue",
]
