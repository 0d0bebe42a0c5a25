"""Work ends when its client is gone, and only then."""

import asyncio

import pytest

from ragstead_serving.disconnects import ClientGone, while_connected


class Client:
    """What a server hands on of a client: nothing, until it hangs up."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Work:
    """Takes until it is told to end, and says how it ended."""

    def __init__(self) -> None:
        self.began, self.end, self.ended = asyncio.Event(), asyncio.Event(), ""

    async def run(self) -> str:
        self.began.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)  # tidies up
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return "answer"


async def answered(work: str) -> str:
    return work


def test_work_that_waits_for_nothing_is_returned():
    async def main():
        return await while_connected(Client().receive, answered("at once"))

    assert asyncio.run(main()) == "at once"


def test_answer_and_error_of_the_work_are_its_callers():
    async def failing():
        await asyncio.sleep(0)
        raise ValueError("broken")

    async def main():
        work = Work()
        asyncio.get_running_loop().call_later(0.01, work.end.set)
        assert await while_connected(Client().receive, work.run()) == "answer"
        with pytest.raises(ValueError, match="broken"):
            await while_connected(Client().receive, failing())

    asyncio.run(main())


def test_hang_up_ends_the_work_before_it_is_told():
    async def main():
        client, work = Client(), Work()
        asyncio.get_running_loop().call_later(0.01, client.gone.set)
        with pytest.raises(ClientGone):
            await while_connected(client.receive, work.run())
        assert work.ended == "cancelled"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(main())


@pytest.mark.parametrize("hangs_up_too", [False, True])
def test_cancelled_caller_stays_cancelled(hangs_up_too):
    async def main():
        client, work = Client(), Work()
        waiting = asyncio.create_task(while_connected(client.receive, work.run()))
        await work.began.wait()
        if hangs_up_too:
            client.gone.set()
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert work.ended == "cancelled"
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
