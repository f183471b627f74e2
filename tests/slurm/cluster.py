"""A SLURM cluster of one machine, for as long as a command runs; needs root.

``python tests/slurm/cluster.py COMMAND …`` starts munged, slurmctld and slurmd (Debian: slurm-wlm
and munge) in a temporary folder, runs the command with ``SLURM_CONF`` pointing there, ends them,
and exits as the command did. Two partitions: jobs in ``high`` preempt those in ``low``.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
CPUS = 4  # counted by SLURM, whatever the machine has
START = 60.0  # seconds within which the node must be idle

CONF = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its old credential has expired.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=2
MinJobAge=10
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=low Nodes={host} Default=YES PriorityTier=1 GraceTime=2 MaxTime=60 State=UP
PartitionName=high Nodes={host} PriorityTier=10 PreemptMode=OFF MaxTime=60 State=UP
"""


@contextlib.contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """Start a cluster; gives the environment in which SLURM's commands find it."""
    missing = [name for name in NEEDED if shutil.which(name, path=_PATH) is None]
    if missing:
        sys.exit(f"got no {', '.join(missing)}; expected Debian's packages slurm-wlm and munge")
    if os.geteuid():
        sys.exit("got no root; expected it: slurmd starts other users' jobs")
    folder = Path(tempfile.mkdtemp(prefix="neurotrace-slurm-"))
    environment = {**os.environ, "PATH": _PATH, "SLURM_CONF": str(folder / "slurm.conf")}
    daemons: list[subprocess.Popen] = []
    try:
        _write(folder)
        for command in _commands(folder):
            log = (folder / f"{command[0]}.out").open("wb")
            daemons.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            _until(folder / "munge.socket", daemons[0])
        _wait_for_the_node(environment, folder)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
            daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _write(folder: Path) -> None:
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    told = {"host": socket.gethostname().split(".")[0], "folder": folder, "cpus": CPUS}
    ports = {"ctld_port": _free_port(), "d_port": _free_port()}
    (folder / "slurm.conf").write_text(CONF.format(**told, **ports))
    # Left to itself it looks for the machine's own way to count, which containers may lack.
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))


def _commands(folder: Path) -> list[list[str]]:
    own = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    munged = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *own]
    return [munged, ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-c"]]


def _until(file: Path, daemon: subprocess.Popen) -> None:
    deadline = time.monotonic() + START
    while not file.exists():
        if daemon.poll() is not None or time.monotonic() > deadline:
            said = file.with_name("munged.out").read_text()
            sys.exit(f"got no {file.name}; expected munged to make it: {said}")
        time.sleep(0.05)


def _wait_for_the_node(environment: dict[str, str], folder: Path) -> None:
    deadline = time.monotonic() + START
    command = ["sinfo", "-h", "-o", "%t"]
    while time.monotonic() < deadline:
        told = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        ).stdout.split()
        if told and set(told) == {"idle"}:
            return
        time.sleep(0.2)
    logs = "\n".join(file.read_text()[-2000:] for file in folder.glob("slurm*.log"))
    sys.exit(f"got no idle node within {START:.0f} s; expected one:\n{logs}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the daemons end, too
    with cluster() as surroundings:
        code = subprocess.run(sys.argv[1:], env=surroundings, check=False).returncode
    sys.exit(code)
