import asyncio, pytest, json, time
from websockets.exceptions import ConnectionClosed, InvalidStatus
from tests.gateway.harness import *


async def test_echo(hub):
    async with await hub.client(v1=True) as c:
        assert json.loads(await c.recv())["type"] == "welcome"
        for i in range(100):
            await c.send(str(i))
        assert [await c.recv() for i in range(100)] == [str(i) for i in range(100)]


@pytest.mark.parametrize("n", range(5))
async def test_big(hub, n):
    async with await hub.client(v1=True) as c:
        await c.recv()
        with pytest.raises(ConnectionClosed) as e:
            await c.send("x" * (3 << 20))
            print(await c.recv())
            await c.recv()
        print(e.value, c.close_code)
        assert c.close_code == 1009


async def test_burst(hub):
    cs = await asyncio.gather(*(hub.client() for _ in range(60)), return_exceptions=True)
    print([str(c) for c in cs if isinstance(c, BaseException)])
    assert not any(isinstance(c, BaseException) for c in cs)


async def test_origin(hub):
    r, w = await hub.raw(Origin="http://[")
    print(await asyncio.wait_for(r.read(), 3))
    w.close()


async def test_longheader(hub):
    r, w = await hub.raw(X_Long="x" * 9000)
    print((await asyncio.wait_for(r.read(), 3))[:300])
    w.close()


async def test_silent(hub):
    r, w = await asyncio.open_connection("127.0.0.1", hub.port)
    print(await asyncio.wait_for(r.read(), 15))


def frame(op, data=b"", fin=True):
    n = len(data)
    h = bytes([(0x80 if fin else 0) | op])
    h += (
        bytes([0x80 | n])
        if n < 126
        else b"\xfe" + n.to_bytes(2, "big")
        if n < 65536
        else b"\xff" + n.to_bytes(8, "big")
    )
    return h + b"\0\0\0\0" + data


async def test_pingflood(hub):
    r, w = await hub.raw()
    await r.readuntil(b"\r\n\r\n")
    r._transport.pause_reading()
    data = frame(9, b"p" * 125) * 1000
    peak = 0
    try:
        async with asyncio.timeout(6):
            while True:
                w.write(data)
                await w.drain()
                ps = hub.protocols
                if not ps:
                    break
                peak = max(peak, ps[0].transport.get_write_buffer_size())
                if peak > 30 << 20:
                    break
    except (TimeoutError, OSError) as e:
        print(repr(e))
    print("peak", peak)
    w.transport.abort()
    assert peak < 10 << 20


async def test_fragments(hub):
    r, w = await hub.raw()
    await r.readuntil(b"\r\n\r\n")
    w.write(frame(1, b"x", False))
    data = frame(0, b"", False) * 10000
    for _ in range(30):
        w.write(data)
        await w.drain()
    ps = hub.protocols
    n = len(ps[0].frames) if ps else 0
    print(n)
    w.transport.abort()
    assert n < 1000


async def test_close_unread(serving):
    async with serving() as hub:
        r, w = await hub.raw()
        await r.readuntil(b"\r\n\r\n")
        r._transport.pause_reading()
        await eventually(lambda: hub.pipeline.sinks)
        sink = next(iter(hub.pipeline.sinks.values()))
        for _ in range(7):
            sink.send(Outgoing("x" * (1 << 20)))
        await asyncio.sleep(0.1)
        w.write(frame(8, b"\x03\xe8"))
        t = time.time()
        while hub.protocols and time.time() - t < 12:
            await asyncio.sleep(0.05)
        print("gone after", time.time() - t, len(hub.protocols))
        for p in hub.protocols:
            p.transport.abort()
        w.transport.abort()
        assert time.time() - t < 12
