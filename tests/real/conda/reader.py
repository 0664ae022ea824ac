"""Installs packages of a channel into a folder with another client of conda: reader.py CHANNEL FOLDER PACKAGE…"""

import asyncio
import os
import sys

import rattler


async def main(channel, folder, *packages):
    platforms = [str(rattler.Subdir.current()), "noarch"]
    records = await rattler.solve([rattler.Channel(channel)], list(packages), platforms=platforms)
    print(sorted(record.name.normalized for record in records))
    await rattler.install(records, target_prefix=folder, cache_dir=folder + "-cache", show_progress=False)


asyncio.run(main(*sys.argv[1:]))
# Its threads outlive the loop and crash now and then when the interpreter takes their world away.
sys.stdout.flush()
os._exit(0)
