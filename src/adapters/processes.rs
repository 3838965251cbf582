//! Identifies processes of this machine and finds out whether one has ended. Linux only; elsewhere nothing is ever proven.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::model::ProcessIdentity;
use crate::ports::Processes;

/// The processes that the kernel of this machine knows.
#[derive(Debug, Default)]
pub struct SystemProcesses;

impl Processes for SystemProcesses {
    fn own(&self) -> Option<ProcessIdentity> {
        let pid = std::process::id();
        let Status { started, .. } = status(pid)?;
        Some(ProcessIdentity {
            boot: boot()?,
            namespace: namespace()?,
            pid,
            started,
        })
    }

    fn has_ended(&self, process: &ProcessIdentity) -> bool {
        // Process IDs mean something only within one boot and one PID namespace, such as a container.
        if boot().as_ref() != Some(&process.boot)
            || namespace().as_ref() != Some(&process.namespace)
        {
            return false;
        }
        let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
            return false;
        };
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return true;
        }
        // The ID may belong to another process by now. What cannot be read proves nothing.
        status(process.pid).is_some_and(|now| now.started != process.started || now.over)
    }
}

struct Status {
    /// Clock ticks between boot and the start of the process.
    started: u64,
    /// The process has ended, and its parent has not asked for its exit status yet.
    over: bool,
}

/// Reads `/proc/PID/stat` (proc(5)): the state is the third field and the start time the 22nd. The second field is the
/// program's name in parentheses, which may contain spaces and parentheses itself.
fn status(pid: u32) -> Option<Status> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let over = matches!(*fields.first()?, "Z" | "X");
    Some(Status {
        started: fields.get(19)?.parse().ok()?,
        over,
    })
}

/// Returns an ID that the kernel chose when it started (random(4)).
fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Returns the name of the PID namespace of this process (pid_namespaces(7)).
fn namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/pid")
        .ok()?
        .into_os_string()
        .into_string()
        .ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    fn identity(pid: u32) -> ProcessIdentity {
        let own = SystemProcesses.own().expect("Linux");
        ProcessIdentity {
            pid,
            started: status(pid).expect("it runs").started,
            ..own
        }
    }

    #[test]
    fn ended_process_is_proven_dead_and_a_running_one_is_not() {
        assert!(!SystemProcesses.has_ended(&SystemProcesses.own().expect("Linux")));
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep");
        let process = identity(child.id());
        assert!(!SystemProcesses.has_ended(&process));
        let reused = ProcessIdentity {
            started: process.started - 1,
            ..process.clone()
        };
        assert!(
            SystemProcesses.has_ended(&reused),
            "the ID belongs to a younger process"
        );
        child.kill().expect("killed");
        while !status(process.pid).is_some_and(|s| s.over) {
            std::thread::yield_now();
        }
        assert!(
            SystemProcesses.has_ended(&process),
            "its parent has not waited for it"
        );
        child.wait().expect("waited");
        assert!(SystemProcesses.has_ended(&process));
    }

    #[test]
    fn process_of_another_machine_or_container_is_never_proven_dead() {
        let own = SystemProcesses.own().expect("Linux");
        let gone = ProcessIdentity {
            pid: 0x7fff_fff0,
            ..own
        };
        assert!(SystemProcesses.has_ended(&gone));
        assert!(!SystemProcesses.has_ended(&ProcessIdentity {
            boot: "other".to_owned(),
            ..gone.clone()
        }));
        assert!(!SystemProcesses.has_ended(&ProcessIdentity {
            namespace: "pid:[1]".to_owned(),
            ..gone
        }));
    }
}
