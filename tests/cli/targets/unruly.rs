//! Targets that say too much, too little, nothing, or the wrong thing: each ends in a named error inside its bounds.

use super::{HERE, House, exists, root, skip};

const TO: &str = "ssh://someone@far.example:2222";

#[test]
fn a_target_over_ssh_is_judged_in_one_connection() {
    if !root() {
        return skip("the script that stands in for ssh is root here");
    }
    let house = House::with_ssh(HERE);
    let answer = house.check(&["web", TO, "--identity", "my key", "--json"]);
    let report = answer.passes().json();
    let verdicts = report["verdicts"].as_array().expect("verdicts");
    assert!(
        verdicts.len() == 2 && verdicts.iter().all(|v| v["outcome"] == "passed"),
        "{report}"
    );
    assert_eq!(
        (&report["phase"], &report["profiles"][0]["name"]),
        (&"boot".into(), &"web".into()),
        "{report}"
    );
    let calls = house.read("calls");
    assert_eq!(calls.lines().count(), 1, "one connection: {calls}");
    for word in [
        "-p 2222",
        "-i my key",
        "-l someone -- far.example sh -c ",
        "StrictHostKeyChecking=yes",
        "sudo -n",
    ] {
        assert!(calls.contains(word), "{word}: {calls}");
    }
}

#[test]
fn what_could_be_an_option_is_refused_before_anything_is_started() {
    let house = House::with_ssh(HERE);
    for target in [
        "ssh://-oProxyCommand=touch pwned",
        "ssh://-l@host",
        "ssh://host;touch pwned",
        "ftp://host",
    ] {
        house.check(&["web", target]).fails(2, &["is no target"]);
    }
    assert_eq!(house.read("calls"), "");
    assert!(!house.path("pwned").exists());
}

#[test]
fn banners_and_noise_are_no_answer_and_in_nobodys_way() {
    if !root() {
        return skip("the script that stands in for ssh is root here");
    }
    let noise = "printf 'Welcome!\\r\\n\\033[2J%s end 3\\n' 0123456789abcdef; head -c 100000 /dev/urandom; echo\n";
    let house = House::with_ssh(&format!("{noise}/bin/sh -c \"$remote\"\n{noise}exit 0\n"));
    house.check(&["web", TO]).passes();
    // Noise alone is no collection.
    House::with_ssh(noise)
        .check(&["web", TO])
        .fails(4, &["incomplete", "printed no facts"]);
}

#[test]
fn a_collection_that_was_cut_off_is_an_error() {
    if !root() {
        return skip("the script that stands in for ssh is root here");
    }
    let house = House::with_ssh("/bin/sh -c \"$remote\" | head -c 2000\n");
    house
        .check(&["web", TO])
        .fails(4, &["incomplete", "the output of the collector ends after"]);
    let house = House::with_ssh("/bin/sh -c \"$remote\" | sed '/ os-release /d'\n");
    house
        .check(&["web", TO])
        .fails(4, &["the output of the collector is incomplete"]);
    let house = House::with_ssh("exit 0\n");
    house
        .check(&["web", TO])
        .fails(4, &["incomplete", "printed no facts"]);
    let house = House::with_ssh("echo 'This account is closed.' >&2\nexit 1\n");
    house.check(&["web", TO]).fails(
        4,
        &[
            "incomplete",
            "last output of the target: This account is closed.",
        ],
    );
}

#[test]
fn a_hanging_target_is_ended_when_its_time_is_up() {
    // It goes on when it is told to stop, and its child holds the output open.
    let house = House::with_ssh("trap '' TERM\ntouch started\nsleep 600 &\nsleep 600\n");
    house
        .check(&["web", TO, "--max-seconds", "2"])
        .fails(4, &["did not end within 2 s", "--max-seconds"]);
    assert!(house.path("started").exists());
}

#[test]
fn a_target_that_never_stops_talking_is_ended_when_it_said_too_much() {
    let house = House::with_ssh("while :; do head -c 1000000 /dev/zero; done\n");
    house
        .check(&["web", TO, "--max-mebibytes", "5"])
        .fails(4, &["more than 5 MiB", "--max-mebibytes"]);
    let house = House::with_ssh("head -c 100000000 /dev/urandom\n");
    house.check(&["web", TO]).fails(4, &["more than 32 MiB"]);
}

#[test]
fn who_may_not_be_root_is_told_what_to_do() {
    let sudo = "echo 'Last login: today'\ncat >/dev/null\necho 'sudo: a password is required' >&2\nexit 1\n";
    house_fails(sudo, &["sudo: a password is required", "NOPASSWD"]);
    let gone = "echo 'sh: 1: exec: sudo: not found' >&2\nexit 127\n";
    house_fails(gone, &["sudo: not found", "log in as root"]);
    // The remote command asks for root by sudo, once, exactly where it is not root already.
    let house = House::with_ssh("PATH=\"$HOME/bin:$PATH\" exec /bin/sh -c \"$remote\"\n");
    house.program("id", "#!/bin/sh\necho 1000\n");
    house.program(
        "sudo",
        "#!/bin/sh\necho \"$*\" >>\"$HOME/sudos\"\nshift 2\nexec \"$@\"\n",
    );
    house.check(&["--profile", "small", TO]).passes();
    assert_eq!(house.read("sudos"), "-n -- sh -s\n");
}

fn house_fails(ssh: &str, words: &[&str]) {
    House::with_ssh(ssh).check(&["web", TO]).fails(4, words);
}

#[test]
fn a_target_without_a_shell_or_without_tools_says_so() {
    house_fails(
        "mkdir -p empty\nPATH=$PWD/empty exec /bin/sh -c \"$remote\"\n",
        &["not found", "POSIX `sh`"],
    );
    house_fails(
        "echo 'exec: /bin/sh: Permission denied' >&2\nexit 126\n",
        &["Permission denied", "POSIX `sh`"],
    );
    // A machine with everything but `od`, then one whose `od` is something else; neither has `stat`.
    let tools = "awk cat date dpkg-query getent head id ls ps readlink sed setsid sleep sh sort systemctl tail timeout tr uname wc grep find cut";
    let some = format!(
        "mkdir -p some\nfor tool in {tools}; do at=$(command -v \"$tool\") && ln -sf \"$at\" some/\"$tool\"; done\n\
         sed \"s|^PATH=.*|PATH=$PWD/some|\" | /bin/sh -s\n"
    );
    house_fails(&some, &["lacks tools that the collector requires", "od"]);
    house_fails(
        &some.replace(
            "\nsed",
            "\nprintf '#!/bin/sh\\ncat >/dev/null\\n' >some/od; chmod 755 some/od\nsed",
        ),
        &["lacks tools that the collector requires", "od"],
    );
    if root() {
        // `stat` is not needed; what is there is judged.
        let with_od = some.replace("for tool in ", "for tool in od ");
        House::with_ssh(&with_od).check(&["web", TO]).passes();
    }
}

#[test]
fn a_host_that_is_another_one_is_named() {
    let changed = "echo '@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @' >&2\n\
                   echo 'Host key verification failed.' >&2\nexit 255\n";
    house_fails(
        changed,
        &["host key is not the one that is known", "--known-hosts"],
    );
}

#[test]
fn nothing_is_written_where_nothing_can_be_run() {
    let works = std::process::Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "none", "/tmp"])
        .status();
    if !works.is_ok_and(|s| s.success()) {
        return skip("no mounts of one's own here");
    }
    // /tmp and /var/tmp, /run and /dev/shm: one can't write there, let alone run what is there.
    let mounts = "for at in /tmp /var/tmp /run /dev/shm; do mount -t tmpfs -o ro,noexec none $at; done; exec sh -s";
    let house = House::with_ssh(&format!("exec unshare -m sh -c '{mounts}'\n"));
    house.check(&["web", TO]).passes();
}

#[test]
fn this_machine_is_a_target() {
    if root() {
        House::new().check(&["web", "local"]).passes();
    } else {
        let house = House::new();
        house.program(
            "sudo",
            "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n",
        );
        house
            .check(&["web", "local"])
            .fails(4, &["a password is required", "NOPASSWD"]);
    }
    assert!(exists("/etc/passwd"));
}
