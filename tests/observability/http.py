"""Plain HTTP requests to a hub, as a stranger or a scraper sends them."""

import socket

from prometheus_client.parser import text_string_to_metric_families

from tests.hub_process import HubProcess

TOKEN = "a-token-of-the-scraper"
TIMEOUT_S = 10.0


def get(hub: HubProcess, target: str, **headers: str) -> tuple[int, str]:
    """Status and body of a GET; the target is sent byte for byte."""
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", hub.port), TIMEOUT_S) as peer:
        peer.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        answer = b"".join(iter(lambda: peer.recv(65_536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


def scrape(hub: HubProcess) -> dict[str, float]:
    """All figures of a hub: ``name{label=value,…}`` → value."""
    status, body = get(hub, "/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200, body
    found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
