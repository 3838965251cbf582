//! A real sshd on loopback, with a host key that is known, unknown, or another.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{HANG, House, exists, root, skip};

const SSHD: &str = "/usr/sbin/sshd";

/// sshd with a key of its own and one user's key, until it is dropped.
struct Server {
    house: House,
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn key(house: &House, name: &str) {
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(house.path(name));
    assert!(command.status().expect("ssh-keygen").success());
}

impl Server {
    fn start() -> Option<Self> {
        if !root() || !exists(SSHD) {
            skip("a server for logins needs root and sshd");
            return None;
        }
        let house = House::new();
        for name in ["host", "other", "user"] {
            key(&house, name);
        }
        let at = |name: &str| house.path(name).display().to_string();
        fs::copy(house.path("user.pub"), house.path("authorized")).expect("a copy");
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("an address")
            .port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PermitRootLogin prohibit-password\nPidFile none\nBanner {}\n",
            at("host"),
            at("authorized"),
            at("banner")
        );
        house.write("sshd_config", &config);
        house.write("banner", "Keep out!\n");
        fs::create_dir_all("/run/sshd")
            .expect("where sshd keeps apart what it does without rights");
        let mut server = Command::new(SSHD);
        server
            .args(["-D", "-e", "-f"])
            .arg(house.path("sshd_config"))
            .stderr(Stdio::null());
        let child = server.spawn().expect("sshd");
        let end = Instant::now() + HANG;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { house, child, port })
    }

    /// A known-hosts file that says the server has the key of this name.
    fn knows(&self, file: &str, key: &str) {
        let public = self.house.read(&format!("{key}.pub"));
        self.house
            .write(file, &format!("[127.0.0.1]:{} {public}", self.port));
    }

    fn check(&self, known: &str, more: &[&str]) -> super::Answer {
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
        self.house.check(&[words.as_slice(), more].concat())
    }
}

#[test]
fn a_login_is_judged_and_a_wrong_host_key_is_named() {
    let Some(server) = Server::start() else {
        return;
    };
    server.knows("right hosts", "host");
    let report = server.check("right hosts", &["--json"]).passes().json();
    assert!(
        report["verdicts"].as_array().is_some_and(|v| v.len() == 2),
        "{report}"
    );
    server.knows("wrong", "other");
    server
        .check("wrong", &[])
        .fails(4, &["host key is not the one that is known", "127.0.0.1"]);
    server.house.write("none", "");
    server
        .check("none", &[])
        .fails(4, &["host key is not known"]);
    assert_eq!(
        server.house.read("none"),
        "",
        "nothing was trusted by the way"
    );
    // The right host, but another key than the one that is let in.
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
        .house
        .check(&other)
        .fails(4, &["does not let us in", "--identity"]);
}

#[test]
fn the_users_own_configuration_is_honoured() {
    let Some(server) = Server::start() else {
        return;
    };
    server.knows("known", "host");
    let at = |name: &str| server.house.path(name).display().to_string();
    let config = format!(
        "Host nickname\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n  UserKnownHostsFile {}\n  \
         RemoteCommand echo in the way\n  RequestTTY force\n",
        server.port,
        at("user"),
        at("known")
    );
    server.house.write("config", &config);
    server
        .house
        .check(&["web", "ssh://nickname", "--ssh-config", "config"])
        .passes();
}

#[test]
fn nobody_at_home_is_told_apart() {
    let house = House::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let target = format!("ssh://root@127.0.0.1:{port}");
    house
        .check(&["web", &target, "--ssh-config", "/dev/null"])
        .fails(4, &["can't be reached", "127.0.0.1"]);
}
