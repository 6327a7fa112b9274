#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Slurm cluster of two nodes, n1 and n2, on one machine, for tests: root, and Debian's
# slurmctld, slurmd, slurm-client and munge. All of it lies in DIR and listens on
# 127.0.0.1 alone; export SLURM_CONF=DIR/slurm.conf to talk to it.
#   slurm.sh up DIR PORT PORT PORT [PID]   start it; it ends when the process PID does
#   slurm.sh controller|node1|node2 DIR    start that part again
#   slurm.sh down DIR                      end it
set -euo pipefail
D=$(realpath -m "$2"); H=$(hostname -s)
export SLURM_CONF="$D/slurm.conf"
unset "${!SLURM_JOB@}" || true
down() {
	for f in slurmd_n1.pid slurmd_n2.pid slurmctld.pid munge/pid; do
		[ -s "$D/$f" ] || continue
		p=$(cat "$D/$f")
		kill "$p" 2>/dev/null || true
		for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.05; done
	done
	for p in $(pgrep slurmstepd || true); do # one whose job was given up asks for its controller for ever
		! grep -qz "^SLURM_CONF=$D/" "/proc/$p/environ" 2>/dev/null || kill -9 "$p" 2>/dev/null || true
	done
}
case $1 in
up)
	mkdir -p "$D"/{state,munge}; chmod 700 "$D" "$D/munge"
	head -c 1024 /dev/urandom >"$D/munge/key"; chmod 600 "$D/munge/key"
	cat >"$SLURM_CONF" <<CONF
ClusterName=flyball
SlurmctldHost=$H(127.0.0.1)
SlurmctldPort=$3
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$D/munge/sock
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
JobRequeue=0
StateSaveLocation=$D/state
SlurmdSpoolDir=$D/spool_%n
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd_%n.pid
SlurmctldLogFile=$D/slurmctld.log
SlurmdLogFile=$D/slurmd_%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=30
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=5
InactiveLimit=0
KillWait=3
ReturnToService=2
Waittime=0
NodeName=n1 NodeHostname=$H NodeAddr=127.0.0.1 Port=$4 CPUs=2 RealMemory=4000 State=UNKNOWN
NodeName=n2 NodeHostname=$H NodeAddr=127.0.0.1 Port=$5 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
	/usr/sbin/munged --key-file="$D/munge/key" --socket="$D/munge/sock" --pid-file="$D/munge/pid" \
		--log-file="$D/munge/log" --seed-file="$D/munge/seed" --num-threads=2 --force
	"$0" controller "$D" -c
	"$0" node1 "$D"
	"$0" node2 "$D"
	if [ -n "${6:-}" ]; then
		(exec >/dev/null 2>&1 </dev/null; while kill -0 "$6"; do sleep 1; done; down) &
	fi
	for _ in $(seq 200); do [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 2 ] && exit 0; sleep 0.1; done
	sinfo -N -l; exit 1 ;;
controller) /usr/sbin/slurmctld ${3:-} -f "$SLURM_CONF" ;;
node1) /usr/sbin/slurmd -N n1 -f "$SLURM_CONF" ;;
node2) /usr/sbin/slurmd -N n2 -f "$SLURM_CONF" ;;
down) down ;;
esac
