#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""study.py FOLDER - a small study in molecular dynamics, for perfflow to trace

A crystal is melted at two temperatures, one after the other, by LAMMPS on two MPI ranks. While the second run computes, two
threads take care of what the first has left:

    pack    compresses its snapshots with zlib, and the whole of its dump with the program xz
    keep    writes what LAMMPS measured, and the packed snapshots, into the database FOLDER/study.db (SQLite)

At the end the database says what came out. The same is printed each time: 2 runs, 22 measurements, 22 snapshots.
"""
import ctypes
import os
import queue
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPERATURES = 1.5, 3.0
MPIRUN = ["mpirun", "--oversubscribe", "-n", "2"]
if os.geteuid() == 0:
    MPIRUN.insert(1, "--allow-run-as-root")
PR_SET_NAME = 15
TABLES = """
create table run (id integer primary key, temperature real, dump_bytes integer, packed_bytes integer);
create table measurement (run integer, step integer, temperature real, energy real, pressure real);
create table snapshot (run integer, step integer, atoms blob);
"""


def name_thread(name):
    """As the kernel knows it; threading.Thread tells it only from Python 3.14 on."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def simulate(folder, temperature):
    os.makedirs(folder)
    shutil.copy(os.path.join(HERE, "in.melt"), folder)
    subprocess.run([*MPIRUN, "lmp", "-in", "in.melt", "-var", "temperature", str(temperature)],
                   cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def read_measurements(folder):
    """(step, temperature, energy, pressure) from LAMMPS's log."""
    with open(os.path.join(folder, "log.lammps")) as log:
        table = re.search(r"^ *Step +Temp.*\n((?:[ \d.+e-]+\n)+)", log.read(), re.M).group(1)
    rows = [line.split() for line in table.splitlines()]
    return [(int(step), float(temp), float(total), float(press)) for step, temp, _, _, total, press, *_ in rows]


def read_snapshots(folder):
    """(step, text) for each snapshot in LAMMPS's dump."""
    with open(os.path.join(folder, "melt.dump")) as dump:
        texts = dump.read().split("ITEM: TIMESTEP\n")[1:]
    return [(int(text.split("\n", 1)[0]), text) for text in texts]


def pack_snapshot(text):
    return zlib.compress(text.encode(), 9)


def pack_dump(folder):
    """Returns its size before and after."""
    dump = os.path.join(folder, "melt.dump")
    size = os.path.getsize(dump)
    subprocess.run(["xz", "-6", "--threads=2", "--block-size=400KiB", "--force", dump], check=True)
    return size, os.path.getsize(dump + ".xz")


def pack(simulated, packed):
    """The thread between simulation and database."""
    name_thread("pack")
    while run := simulated.get():
        number, temperature, folder = run
        snapshots = [(step, pack_snapshot(text)) for step, text in read_snapshots(folder)]
        packed.put((number, temperature, *pack_dump(folder), read_measurements(folder), snapshots))
    packed.put(None)


def keep_run(database, run):
    number, temperature, size, packed_size, measurements, snapshots = run
    with database:
        database.execute("insert into run values (?, ?, ?, ?)", (number, temperature, size, packed_size))
        database.executemany(f"insert into measurement values ({number}, ?, ?, ?, ?)", measurements)
    for snapshot in snapshots:
        with database:
            database.execute(f"insert into snapshot values ({number}, ?, ?)", snapshot)


def keep(packed, path):
    """The thread that writes the database."""
    name_thread("keep")
    database = sqlite3.connect(path)
    database.executescript(TABLES)
    while run := packed.get():
        keep_run(database, run)
    database.close()


def report(path):
    database = sqlite3.connect(path)
    for row in database.execute("select r.temperature, count(*), min(m.temperature), avg(m.pressure) "
                                "from run r join measurement m on m.run = r.id group by r.id order by r.id"):
        print("temperature %.1f: %d measurements, coolest %.4f, mean pressure %.4f" % row)
    print("%d snapshots" % database.execute("select count(*) from snapshot").fetchone())
    database.close()


def main(folder):
    path = os.path.join(folder, "study.db")
    simulated, packed = queue.Queue(), queue.Queue()
    threads = [threading.Thread(target=pack, args=(simulated, packed)), threading.Thread(target=keep, args=(packed, path))]
    for thread in threads:
        thread.start()
    for number, temperature in enumerate(TEMPERATURES):
        run_folder = os.path.join(folder, f"run-{number}")
        simulate(run_folder, temperature)
        simulated.put((number, temperature, run_folder))
    simulated.put(None)
    for thread in threads:
        thread.join()
    report(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
