//! Tests checks over a real sshd on loopback, with a known, an unknown and a changed host key.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{HANG_TIMEOUT, TestEnv, exists, is_root, skip};

const SSHD: &str = "/usr/sbin/sshd";

/// A running sshd with a host key and a user key. Dropping it stops sshd.
struct SshServer {
    env: TestEnv,
    child: Child,
    port: u16,
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ignored = self.child.kill();
        let _ignored = self.child.wait();
    }
}

fn generate_key(env: &TestEnv, name: &str) {
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(env.path(name));
    assert!(command.status().expect("ssh-keygen").success());
}

impl SshServer {
    fn start() -> Option<Self> {
        if !is_root() || !exists(SSHD) {
            skip("a login server requires root and sshd");
            return None;
        }
        let env = TestEnv::new();
        for name in ["host", "other", "user"] {
            generate_key(&env, name);
        }
        let path = |name: &str| env.path(name).display().to_string();
        fs::copy(env.path("user.pub"), env.path("authorized")).expect("copy");
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("port")
            .local_addr()
            .expect("address")
            .port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PermitRootLogin prohibit-password\nPidFile none\nBanner {}\n",
            path("host"),
            path("authorized"),
            path("banner")
        );
        env.write("sshd_config", &config);
        env.write("banner", "Keep out!\n");
        fs::create_dir_all("/run/sshd").expect("directory for privilege separation of sshd");
        let mut server = Command::new(SSHD);
        server
            .args(["-D", "-e", "-f"])
            .arg(env.path("sshd_config"))
            .stderr(Stdio::null());
        let child = server.spawn().expect("sshd");
        let deadline = Instant::now() + HANG_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { env, child, port })
    }

    /// Writes a known-hosts file with this key for the server.
    fn write_known_hosts(&self, file: &str, key: &str) {
        let public = self.env.read(&format!("{key}.pub"));
        self.env
            .write(file, &format!("[127.0.0.1]:{} {public}", self.port));
    }

    fn check(&self, known: &str, more: &[&str]) -> super::CommandResult {
        let target = format!("ssh://root@127.0.0.1:{}", self.port);
        let words = [
            "web",
            &target,
            "--known-hosts",
            known,
            "--identity",
            "user",
            "--ssh-config",
            "/dev/null",
        ];
        self.env.check(&[words.as_slice(), more].concat())
    }
}

#[test]
fn ssh_check_requires_the_known_host_key() {
    let Some(server) = SshServer::start() else {
        return;
    };
    server.write_known_hosts("right hosts", "host");
    let report = server
        .check("right hosts", &["--json"])
        .assert_passes()
        .json();
    assert!(
        report["verdicts"].as_array().is_some_and(|v| v.len() == 2),
        "{report}"
    );
    server.write_known_hosts("wrong", "other");
    server
        .check("wrong", &[])
        .assert_fails(4, &["host key differs from the known one", "127.0.0.1"]);
    server.env.write("none", "");
    server
        .check("none", &[])
        .assert_fails(4, &["host key is not known"]);
    assert_eq!(server.env.read("none"), "", "the key was not added");
    // The right host with a key that may not log in.
    let target = format!("ssh://root@127.0.0.1:{}", server.port);
    let other = [
        "web",
        &target,
        "--known-hosts",
        "right hosts",
        "--identity",
        "other",
        "--ssh-config",
        "/dev/null",
    ];
    server
        .env
        .check(&other)
        .assert_fails(4, &["login was refused", "--identity"]);
}

#[test]
fn ssh_check_uses_configuration_of_the_user() {
    let Some(server) = SshServer::start() else {
        return;
    };
    server.write_known_hosts("known", "host");
    let path = |name: &str| server.env.path(name).display().to_string();
    let config = format!(
        "Host nickname\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n  UserKnownHostsFile {}\n  \
         RemoteCommand echo in the way\n  RequestTTY force\n",
        server.port,
        path("user"),
        path("known")
    );
    server.env.write("config", &config);
    server
        .env
        .check(&["web", "ssh://nickname", "--ssh-config", "config"])
        .assert_passes();
}

#[test]
fn closed_port_is_reported_as_unreachable() {
    let env = TestEnv::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("port")
        .local_addr()
        .expect("address")
        .port();
    let target = format!("ssh://root@127.0.0.1:{port}");
    env.check(&["web", &target, "--ssh-config", "/dev/null"])
        .assert_fails(4, &["cannot be reached", "127.0.0.1"]);
}
