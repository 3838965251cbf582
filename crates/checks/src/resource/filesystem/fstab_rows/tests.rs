//! Tests of the mounts at boot with recorded files.

use super::*;

/// Encodes files as the collector sends them. A file without text is masked.
pub(crate) fn encode_files(files: &[(&str, Option<&str>)], wanted: &[&str]) -> String {
    let (mut head, mut tail) = (String::new(), String::new());
    for (path, content) in files {
        match content {
            Some(content) => {
                head += &format!("f {path}\n@ .{path}\n");
                tail += &format!("=.{path}\n");
                content
                    .lines()
                    .for_each(|line| tail += &format!("|{line}\n"));
            }
            None => head += &format!("m {path}\n"),
        }
    }
    wanted
        .iter()
        .for_each(|unit| head += &format!("w {unit}\n"));
    head + &tail
}

fn describe_mount(path: &str, written: &[(&str, Option<&str>)], wanted: &[&str]) -> String {
    let texts = DropInFiles::parse(&encode_files(written, wanted)).expect("texts");
    let found = texts.file("/etc/fstab");
    let rows = match found {
        Some(FileState::Lines(lines)) => parse_rows(lines),
        _ => Ok(Vec::new()),
    };
    match (Files { rows, texts }).configured_mount(path) {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(p)) => format!("{} {} ({})", p.at_boot, p.options.join(","), p.how),
        Err(why) => format!("error {why}"),
    }
}

const FSTAB: &str = "# comment\nUUID=1 / ext4 errors=remount-ro 0 1\n\
    tmpfs /tmp tmpfs rw,exec,nosuid,noexec 0 0\n/dev/x /a\\040b/ ext4\n/dev/y /mnt ext4 noauto\n\
    none none swap sw\nx none swap sw\n/d /twice ext4\n/e /twice ext4\n";
const UNIT: &str = "[Unit]\nOptions=no\n[Mount]\nWhat=tmpfs\nOptions=mode=1777,\\\nnosuid\n\
    [Install]\nOptions=no\n";

#[test]
fn fstab_entries_are_parsed() {
    let lines: Vec<String> = FSTAB.lines().map(str::to_owned).collect();
    let rows = parse_rows(&lines).expect("rows");
    assert_eq!(rows.len(), 8);
    assert_eq!(
        (
            rows[2].at.as_str(),
            rows[2].options.join(","),
            rows[0].pass.as_str()
        ),
        ("/a b", "defaults".into(), "1")
    );
    assert!(super::parse_rows(&["/dev/x /y".to_owned()]).is_err());
}

#[test]
fn mounts_at_boot_follow_fstab_and_units() {
    let etc = "/etc/systemd/system/tmp.mount";
    let lib = "/usr/lib/systemd/system/tmp.mount";
    let drop_in = "/etc/systemd/system/tmp.mount.d/a.conf";
    let fstab = ("/etc/fstab", Some(FSTAB));
    type File<'a> = (&'a str, Option<&'a str>);
    let table: &[(&str, &[File<'_>], &[&str], &str)] = &[
        ("/tmp", &[fstab], &[], "true rw,nosuid,noexec (/etc/fstab)"),
        ("/mnt", &[fstab], &[], "false noauto (noauto in /etc/fstab)"),
        ("/other", &[fstab], &[], "nothing"),
        (
            "/twice",
            &[fstab],
            &[],
            "error /etc/fstab has more than one entry for /twice",
        ),
        (
            "/tmp",
            &[(lib, Some(UNIT))],
            &["tmp.mount"],
            "true mode=1777,nosuid (/usr/lib/systemd/system/tmp.mount)",
        ),
        (
            "/tmp",
            &[(lib, Some(UNIT))],
            &[],
            "false mode=1777,nosuid (no unit wants /usr/lib/systemd/system/tmp.mount)",
        ),
        (
            "/tmp",
            &[fstab, (lib, Some(UNIT))],
            &[],
            "true rw,nosuid,noexec (/etc/fstab)",
        ),
        (
            "/tmp",
            &[fstab, (etc, Some(UNIT))],
            &["tmp.mount"],
            "true mode=1777,nosuid (/etc/systemd/system/tmp.mount)",
        ),
        (
            "/tmp",
            &[fstab, (etc, None)],
            &["tmp.mount"],
            "false  (masked by /etc/systemd/system/tmp.mount)",
        ),
        (
            "/tmp",
            &[
                (lib, Some(UNIT)),
                (drop_in, Some("[Mount]\nOptions=noexec\n")),
            ],
            &["tmp.mount"],
            "true noexec (/usr/lib/systemd/system/tmp.mount)",
        ),
    ];
    for (path, written, wanted, expected) in table {
        assert_eq!(
            describe_mount(path, written, wanted),
            *expected,
            "{path} {written:?}"
        );
    }
}

#[test]
fn paths_are_escaped_for_unit_names() {
    for (path, unit) in [
        ("/", "-"),
        ("/tmp", "tmp"),
        ("/var/tmp", "var-tmp"),
        ("/a-b/.c.d", "a\\x2db-.c.d"),
        ("/.x", "\\x2ex"),
    ] {
        assert_eq!(escape_path(path), unit);
    }
}
