//! Tests the search for credentials on directories with the files of a package manager.

use std::fmt::Write as _;

use super::*;

/// Text with many distinct characters, of which no part is a real secret.
const NOISE: &str = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU0vW1xY5zC7bD9eF2gH4jK6lM8nP3qR5sT7uV9w";

fn noise(length: usize) -> &'static str {
    &NOISE[..length]
}

fn pem(kind: &str) -> String {
    format!("-----BEGIN {kind}-----\n{NOISE}\n{NOISE}\n-----END {kind}-----\n")
}

/// Path, content and expected item of a file with a credential.
type Planted = (&'static str, String, &'static str);

fn planted_keys() -> Vec<Planted> {
    vec![
        (
            "opt/app/server.pem",
            format!("x\n{}", pem("RSA PRIVATE KEY")),
            "2: private-key",
        ),
        (
            "srv/deploy key",
            pem("OPENSSH PRIVATE KEY"),
            "1: private-key",
        ),
        ("srv/-rf", pem("EC PRIVATE KEY"), "1: private-key"),
        ("srv/a=b", pem("ENCRYPTED PRIVATE KEY"), "1: private-key"),
        (
            "var/backups/key.asc",
            pem("PGP PRIVATE KEY BLOCK"),
            "1: pgp-private-key",
        ),
        (
            "home/a/x.ppk",
            format!("PuTTY-User-Key-File-3: ssh-rsa\nPublic-Lines: 1\n{NOISE}\n"),
            "1: putty-private-key",
        ),
        ("opt/store.p12", "\0\u{1}".to_owned(), "0: key-store"),
    ]
}

fn planted_tokens() -> Vec<Planted> {
    let key = pem("PRIVATE KEY").replace('\n', "\\n");
    vec![
        (
            "root/.aws/credentials",
            format!(
                "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                "AKIA".to_owned() + "QWERTYUIOPASDFGH",
                noise(40)
            ),
            "3: aws-secret-key",
        ),
        (
            "opt/app/.env",
            format!(
                "ID={}\nVALUE={}\n",
                "AKIA".to_owned() + "QWERTYUIOPASDFGH",
                noise(40)
            ),
            "1: aws-secret-key",
        ),
        (
            "etc/profile.d/ci.sh",
            format!("export T=ghp_{}\n", noise(36)),
            "1: github-token",
        ),
        (
            "usr/local/bin/deploy",
            format!(
                "#!/bin/sh\ncurl -H 'PRIVATE-TOKEN: glpat-{}' x\n",
                noise(20)
            ),
            "2: gitlab-token",
        ),
        (
            "opt/bot.cfg",
            format!("token: xoxb-{}\n", noise(30)),
            "1: slack-token",
        ),
        (
            "opt/gcp.json",
            format!("{{\"type\": \"service_account\",\n \"private_key\": \"{key}\"}}\n"),
            "2: google-service-account",
        ),
        (
            "opt/azure.conf",
            format!("x=AccountName=a;AccountKey={NOISE}==;\n"),
            "1: azure-connection-string",
        ),
    ]
}

fn planted_configuration() -> Vec<Planted> {
    vec![
        (
            "etc/apt/auth.conf.d/x.conf",
            "machine x login u password s3cr3t-Value\n".to_owned(),
            "1: netrc-password",
        ),
        (
            "etc/apt/sources.list.d/x.list",
            "deb https://u:s3cr3t@x.invalid/ y main\n".to_owned(),
            "1: url-password",
        ),
        (
            "root/.netrc",
            "machine x\nlogin u\npassword s3cr3t-Value\n".to_owned(),
            "3: netrc-password",
        ),
        (
            "root/.npmrc",
            "//r.invalid/:_authToken=abcd-1234-efgh\n".to_owned(),
            "1: npm-token",
        ),
        (
            "etc/pip.conf",
            "[global]\nindex-url = https://u:s3cr3t@x.invalid/simple\n".to_owned(),
            "2: url-password",
        ),
        (
            "root/.docker/config.json",
            "{\"auths\": {\"x\": {\n\"auth\": \"dTpzM2NyM3Q=\"}}}\n".to_owned(),
            "2: docker-auth",
        ),
        (
            "opt/ansible/.vault_pass",
            "s3cr3t-Value\n".to_owned(),
            "1: ansible-vault-password",
        ),
        (
            "etc/yum.repos.d/x.repo",
            "[x]\npassword=s3cr3t-Value\n".to_owned(),
            "2: password",
        ),
    ]
}

/// Returns path and content of files that must not be found.
fn harmless() -> Vec<(&'static str, Vec<u8>)> {
    let key = pem("RSA PRIVATE KEY");
    let aws = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n\
        aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
    let mut large = key.clone().into_bytes();
    large.resize((1 << 20) + 1, b'x');
    vec![
        ("opt/doc/aws.md", aws.into()),
        (
            "opt/doc/id-only",
            b"AKIAQWERTYUIOPASDFGH in a log\n".to_vec(),
        ),
        (
            "opt/doc/pem.md",
            b"A file begins with `-----BEGIN RSA PRIVATE KEY-----`.\n".to_vec(),
        ),
        (
            "opt/doc/short.md",
            b"-----BEGIN PRIVATE KEY-----\nMIIE...\n-----END PRIVATE KEY-----\n".to_vec(),
        ),
        ("opt/ca.pem", pem("CERTIFICATE").into()),
        ("opt/id.pub", format!("ssh-rsa {NOISE} me\n").into()),
        ("opt/program", [b"\x7fELF\0\0", key.as_bytes()].concat()),
        ("opt/large.pem", large),
        (
            "usr/lib/python3/dist-packages/x/tests/key.pem",
            key.clone().into(),
        ),
        (
            "opt/v/lib/python3.11/site-packages/y/test/key.py",
            key.clone().into(),
        ),
        ("etc/ssh/ssh_host_rsa_key", key.clone().into()),
        ("proc/x", key.clone().into()),
        ("run/x", key.into()),
        (
            "opt/token.md",
            format!("ghp_{} and ghp_short\n", "x".repeat(36)).into(),
        ),
        (
            "root/.pip/pip.conf",
            b"index-url = https://u:${PIP_PASSWORD}@x.invalid/simple\n".to_vec(),
        ),
        (
            "home/a/.npmrc",
            b"//r.invalid/:_authToken=${NPM_TOKEN}\n# //x/:_authToken=abcd1234\n".to_vec(),
        ),
        (
            "opt/site/htpasswd",
            b"u:$apr1$aB3dE5fG$hJ9kL2mN4pQ6rS8tU0vW1x\n".to_vec(),
        ),
        (
            "opt/url.md",
            b"Use https://user:s3cr3t@host/ here.\n".to_vec(),
        ),
        (
            "srv/vault.yml",
            b"$ANSIBLE_VAULT;1.1;AES256\n6162\n".to_vec(),
        ),
        (
            "home/a/.docker/config.json",
            b"{\"auths\": {\"x\": {}}, \"credsStore\": \"ecr-login\"}\n".to_vec(),
        ),
    ]
}

fn items(shell: &[&str], root: &Path) -> (String, Facts) {
    let controls = parse_controls("- {credentials: all, found: {count: 987}}");
    let facts = collect_facts(shell, &controls, Some(root));
    let reading = facts.reading("credentials", "").expect("a reading");
    let json = serde_json::to_value(reading).expect("JSON");
    (json["text"].as_str().unwrap_or_default().to_owned(), facts)
}

fn outcome(facts: &Facts, yaml: &str) -> String {
    let verdicts = judge_all(
        &parse_controls(&format!("- {{credentials: all{yaml}}}")),
        facts,
    );
    verdicts[0].line()
}

fn create_dpkg_root(root: &Path) {
    write_file(root, "etc/passwd", b"root:x:0:0::/root:/bin/sh\n", 0o644);
    write_file(root, "etc/os-release", b"ID=debian\n", 0o644);
    write_file(root, "var/lib/dpkg/status", b"", 0o644);
    write_file(root, "var/lib/dpkg/info/x.list", b"/.\n/usr\n", 0o644);
}

#[test]
fn credentials_are_found_by_content() {
    let dir = tempfile::tempdir().expect("dir");
    create_dpkg_root(dir.path());
    let mut expected = BTreeMap::new();
    for (path, content, item) in
        [planted_keys(), planted_tokens(), planted_configuration()].concat()
    {
        write_file(dir.path(), path, content.as_bytes(), 0o600);
        let (line, kind) = item.split_once(": ").expect("an item");
        expected.insert(format!("./{path}"), format!("{kind} {line} ./{path}"));
    }
    for (path, content) in harmless() {
        write_file(dir.path(), path, &content, 0o600);
    }
    write_file(dir.path(), "srv/a\nb", pem("PRIVATE KEY").as_bytes(), 0o600);
    symlink("/opt/app/server.pem", dir.path().join("opt/link.pem")).expect("link");
    expected.insert(
        "./srv/a\\nb".to_owned(),
        "private-key 1 ./srv/a\\nb".to_owned(),
    );
    for shell in shells() {
        let (text, facts) = items(&shell, dir.path());
        let mut lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('!')).collect();
        lines.sort_unstable();
        let mut wanted: Vec<&str> = expected.values().map(String::as_str).collect();
        wanted.sort_unstable();
        assert_eq!(lines, wanted, "{shell:?}");
        let json = serde_json::to_string(&facts).expect("JSON");
        for secret in [noise(20), "s3cr3t", "dTpzM2NyM3Q", "abcd-1234"] {
            assert!(!json.contains(secret), "{shell:?}: {secret}");
        }
        let line = outcome(&facts, "");
        assert!(
            line.contains("/etc/profile.d/ci.sh:1: github-token"),
            "{line}"
        );
        let excluded = ", exclude: [{path: /opt, reason: r1}, {path: \"/[e-z]*\", reason: r2}]";
        assert!(outcome(&facts, excluded).starts_with("passed"), "{shell:?}");
    }
}

#[test]
fn unmodified_files_of_packages_are_not_searched() {
    let dir = tempfile::tempdir().expect("dir");
    let root = dir.path();
    create_dpkg_root(root);
    let key = pem("RSA PRIVATE KEY");
    let (old, md5) = ("-d2020-01-01", "d41d8cd98f00b204e9800998ecf8427e");
    let digest = |path: &str| {
        let out = Command::new("md5sum")
            .arg(root.join(path))
            .output()
            .expect("md5sum");
        String::from_utf8_lossy(&out.stdout)[..32].to_owned()
    };
    symlink("usr/bin", root.join("bin")).expect("link");
    let mut list = String::from("/.\n/bin/merged\n");
    let mut sums = String::new();
    for path in [
        "usr/share/x/old.pem",
        "usr/share/x/changed.pem",
        "usr/share/x/new.pem",
        "etc/x/same.conf",
        "etc/x/changed.conf",
    ] {
        write_file(root, path, key.as_bytes(), 0o644);
        let _ = writeln!(list, "/{path}");
    }
    write_file(root, "usr/bin/merged", key.as_bytes(), 0o755);
    let _ = writeln!(
        sums,
        "{}  usr/share/x/new.pem\n{md5}  usr/share/x/changed.pem",
        digest("usr/share/x/new.pem")
    );
    let status = format!(
        "Package: x\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nConffiles:\n /etc/x/same.conf {}\n /etc/x/changed.conf {md5}\n",
        digest("etc/x/same.conf")
    );
    write_file(root, "var/lib/dpkg/status", status.as_bytes(), 0o644);
    write_file(root, "var/lib/dpkg/info/x.list", list.as_bytes(), 0o644);
    write_file(root, "var/lib/dpkg/info/x.md5sums", sums.as_bytes(), 0o644);
    let touch = |time: &str, path: &str| {
        let status = Command::new("touch")
            .arg(time)
            .arg(root.join(path))
            .status();
        assert!(status.expect("touch").success());
    };
    touch("-d2021-01-01", "var/lib/dpkg/info/x.list");
    for path in [
        "usr/share/x/old.pem",
        "usr/bin/merged",
        "etc/x/same.conf",
        "etc/x/changed.conf",
    ] {
        touch(old, path);
    }
    for shell in shells() {
        let (text, _) = items(&shell, root);
        let mut lines: Vec<&str> = text.lines().filter(|l| !l.starts_with('!')).collect();
        lines.sort_unstable();
        let expected = [
            "private-key 1 ./etc/x/changed.conf",
            "private-key 1 ./usr/share/x/changed.pem",
        ];
        assert_eq!(lines, expected, "{shell:?}");
    }
}

#[test]
fn unreadable_and_odd_files_are_no_pass() {
    let dir = tempfile::tempdir().expect("dir");
    create_dpkg_root(dir.path());
    write_file(dir.path(), "srv/a\u{1}b", b"x", 0o644);
    for shell in shells() {
        let (_, facts) = items(&shell, dir.path());
        let line = outcome(&facts, "");
        assert!(line.starts_with("error") && line.contains("0x01"), "{line}");
        let yaml = "- {credentials: all, exclude: [{path: /srv, reason: x}]}";
        let controls = parse_controls(yaml);
        let facts = collect_facts(&shell, &controls, Some(dir.path()));
        assert_verdict_lines(&controls, &facts, &["passed  credentials:all"], &shell);
    }
}
