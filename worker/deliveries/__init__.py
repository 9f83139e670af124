"""Webhooks: posts the events of a record to its callback URL, signed and retried as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from worker.deliveries.task import deliver

__all__ = ["deliver"]
