"""A real Slurm cluster of one node on this machine: munged, slurmctld and slurmd on loopback.

All files are in one folder, also those of /etc/slurm: nothing outside of it is read or written. The
daemons are children of this process and end with it, also when it is killed.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
# Debian's daemons are not on the PATH of users other than root.
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
# States of jobs that still have to end.
LIVE = "PENDING,RUNNING,SUSPENDED,COMPLETING,CONFIGURING"

# No cgroups, no systemd, no accounting database. Memory is sampled every second and a job over its
# limit is killed. MinJobAge is how long squeue remembers a job that has ended.
CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MinJobAge=3600
ReturnToService=2
KillWait=2
MpiDefault=none
MailProg=/bin/true
DefMemPerCPU=500
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
"""


def missing() -> list[str]:
    """What this machine lacks for a cluster, in words."""
    lacks = [f"{name} is not installed" for name in DAEMONS if not shutil.which(name, path=PATH)]
    if os.geteuid() != 0:
        lacks.append("its daemons need root")
    return lacks


class LoopbackSlurm:
    """One Slurm node.

    folder: the folder of all its files.
    cpus, gpus: how many the node claims to have; the GPUs are empty files, for Slurm to lend.
    """

    def __init__(self, folder: Path, cpus: int = 4, gpus: int = 4) -> None:
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("state", "spool", "log", "bin"):
            (folder / name).mkdir(parents=True)
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        free_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
        controller_port, node_port = _free_ports(2)
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=socket.gethostname().split(".")[0],
                controller_port=controller_port,
                node_port=node_port,
                folder=folder,
                cpus=cpus,
                gpus=gpus,
                memory=free_mb * 9 // 10,
            )
        )
        for number in range(gpus):
            (folder / f"gpu{number}").touch()
        (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-{gpus - 1}]\n")
        # The executor plugin takes SLURM_CONF from the srun in each job, which would look in
        # /etc/slurm: this one gives it back.
        wrapper = folder / "bin/srun"
        srun = shutil.which("srun")
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF="{folder}/slurm.conf" exec {srun} "$@"\n')
        wrapper.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Slurm's commands, and Snakemake, find this cluster."""
        return os.environ | {
            "SLURM_CONF": f"{self.folder}/slurm.conf",
            "PATH": f"{self.folder}/bin{os.pathsep}{PATH}",
        }

    def start(self) -> None:
        """Start the daemons and wait until the node takes jobs."""
        self._start(
            "munged",
            "--foreground",
            "--force",  # also below a folder that is root's alone, as pytest's are
            f"--key-file={self.folder}/munge.key",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={self.folder}/munged.seed",
        )
        wait_until((self.folder / "munge.socket").exists, "munged to listen", self._log)
        self._start("slurmctld", "-D")
        self.start_node()

    def start_node(self) -> None:
        """Start the node's daemon and wait until the node takes jobs."""
        self._start("slurmd", "-D")
        ready = {"idle", "mixed", "allocated"}
        wait_until(lambda: self.run("sinfo", "-h", "-o", "%T") in ready, "the node", self._log)

    def stop_node(self) -> None:
        """Stop the node's daemon; its jobs go on."""
        self._stop("slurmd")

    def stop(self) -> None:
        """Cancel all jobs, wait for their end and stop the daemons."""
        if "slurmctld" in self._daemons:
            self.run("scancel", "--user=root")
            wait_until(lambda: not self.jobs(), "the jobs to end", self._log)
        for name in reversed(list(self._daemons)):
            self._stop(name)

    def run(self, *command: str) -> str:
        """What a command of Slurm's prints; nothing where it fails, as while a daemon starts."""
        finished = subprocess.run(command, env=self.environment, text=True, capture_output=True)
        return finished.stdout.strip() if finished.returncode == 0 else ""

    def jobs(self, states: str = LIVE) -> dict[str, str]:
        """The jobs in some states: what they run (`rule_train_wildcards_...`) by their ids."""
        lines = self.run("squeue", "-h", f"--states={states}", "-o", "%A %k").splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def details(self, job: str) -> dict[str, str]:
        """All that Slurm knows of a job."""
        return dict(re.findall(r"(\S+?)=(\S*)", self.run("scontrol", "show", "job", job)))

    def processes(self, job: str) -> list[int]:
        """The pids of a running job, of its batch script first."""
        lines = self.run("scontrol", "listpids", job).splitlines()[1:]
        return [int(line.split()[0]) for line in lines if int(line.split()[0]) > 0]

    def _start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"log/{name}.log").open("ab") as log:
            # The kernel ends the daemon when this process ends, in whichever way.
            command = ["setpriv", "--pdeathsig=TERM", str(shutil.which(name, path=PATH))]
            self._daemons[name] = subprocess.Popen(
                [*command, *arguments], env=self.environment, stdout=log, stderr=log
            )

    def _stop(self, name: str) -> None:
        daemon = self._daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _log(self) -> str:
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text("utf-8").splitlines()[-20:])
            for path in sorted((self.folder / "log").iterdir())
        )


def wait_until(
    condition: Callable[[], object], what: str, explain: Callable[[], str], seconds: float = 60
) -> None:
    """Wait for a condition; a failed test says what was waited for, and what `explain` says."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{seconds:g} s were too few for {what}\n{explain()}"
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
