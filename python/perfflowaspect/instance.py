# SPDX-License-Identifier: LGPL-3.0-or-later
"""The jobs that this process is in, one within the other, for the names of the files of its children.

PERFFLOW_INSTANCE_PATH holds the ids of the jobs around a process, with dots between. Each process adds its own job's and
hands the path on by its environment.
"""
import os


def short_hash(text):
    import hashlib  # only here: most processes have an id

    return hashlib.sha1(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def own_id(environment):
    if environment.get("FLUX_JOB_ID"):
        return environment["FLUX_JOB_ID"]
    for job, step in (("SLURM_JOB_ID", "SLURM_STEP_ID"), ("LSB_JOBID", "LS_JOBPID")):
        if environment.get(job):
            if environment.get(step):
                return short_hash(f"{environment[job]}.{environment[step]}")
            break  # one batch system at a time
    uri = environment.get("FLUX_URI")
    if uri:
        return short_hash(os.path.dirname(uri.partition("://")[2] or uri))
    return "356a192b"  # the hash of "1": there is no job


def extend_path(environment=os.environ):
    above = environment.get("PERFFLOW_INSTANCE_PATH")
    environment["PERFFLOW_INSTANCE_PATH"] = f"{above}.{own_id(environment)}" if above else own_id(environment)
