//! Identifies processes of this machine and detects that one has ended. On other systems than Linux
//! there is never proof.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::model::ProcessIdentity;
use crate::ports::Processes;

/// Processes of the running kernel.
#[derive(Debug, Default)]
pub struct SystemProcesses;

impl Processes for SystemProcesses {
    fn current_process(&self) -> Option<ProcessIdentity> {
        let pid = std::process::id();
        let ProcessStatus { started, .. } = process_status(pid)?;
        Some(ProcessIdentity {
            boot: boot_id()?,
            namespace: pid_namespace()?,
            pid,
            started,
        })
    }

    fn has_ended(&self, process: &ProcessIdentity) -> bool {
        // A process ID is valid only in one boot and one PID namespace, such as a container.
        if boot_id().as_ref() != Some(&process.boot)
            || pid_namespace().as_ref() != Some(&process.namespace)
        {
            return false;
        }
        let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
            return false;
        };
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return true;
        }
        // Another process may have this ID by now. A status that cannot be read proves nothing.
        process_status(process.pid)
            .is_some_and(|now| now.started != process.started || now.is_zombie)
    }
}

struct ProcessStatus {
    /// Start time in clock ticks since the boot.
    started: u64,
    /// The process has ended, but its parent has not read its exit status yet.
    is_zombie: bool,
}

/// Reads `/proc/PID/stat` (proc(5)). The third field is the state, the 22nd the start time. The
/// second field is the program name in parentheses, which may contain spaces and parentheses.
fn process_status(pid: u32) -> Option<ProcessStatus> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let is_zombie = matches!(*fields.first()?, "Z" | "X");
    Some(ProcessStatus {
        started: fields.get(19)?.parse().ok()?,
        is_zombie,
    })
}

/// Returns the random ID of this boot (random(4)).
fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Returns the PID namespace of this process (pid_namespaces(7)).
fn pid_namespace() -> Option<String> {
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

    fn process_identity(pid: u32) -> ProcessIdentity {
        let own = SystemProcesses.current_process().expect("Linux");
        ProcessIdentity {
            pid,
            started: process_status(pid).expect("running process").started,
            ..own
        }
    }

    #[test]
    fn has_ended_detects_end_zombie_and_reused_id() {
        let own = SystemProcesses.current_process().expect("Linux");
        assert!(!SystemProcesses.has_ended(&own));
        let mut child = Command::new("sleep").arg("600").spawn().expect("sleep");
        let process = process_identity(child.id());
        assert!(!SystemProcesses.has_ended(&process));
        let reused = ProcessIdentity {
            started: process.started - 1,
            ..process.clone()
        };
        assert!(
            SystemProcesses.has_ended(&reused),
            "a newer process has this ID"
        );
        child.kill().expect("kill");
        while !process_status(process.pid).is_some_and(|s| s.is_zombie) {
            std::thread::yield_now();
        }
        assert!(
            SystemProcesses.has_ended(&process),
            "the process is a zombie"
        );
        child.wait().expect("wait");
        assert!(SystemProcesses.has_ended(&process));
    }

    #[test]
    fn has_ended_is_false_for_other_boots_and_namespaces() {
        let own = SystemProcesses.current_process().expect("Linux");
        let ended = ProcessIdentity {
            pid: 0x7fff_fff0,
            ..own
        };
        assert!(SystemProcesses.has_ended(&ended));
        assert!(!SystemProcesses.has_ended(&ProcessIdentity {
            boot: "other".to_owned(),
            ..ended.clone()
        }));
        assert!(!SystemProcesses.has_ended(&ProcessIdentity {
            namespace: "pid:[1]".to_owned(),
            ..ended
        }));
    }
}
