//! Tests the results of a check: reports in each format, saved facts and exit codes.

use std::fs;

use super::TestEnv;

/// Creates an environment with a small root file system.
fn env_with_root() -> TestEnv {
    let env = TestEnv::new();
    env.write("root/etc/passwd", "root:x:0:0::/:/bin/sh\n");
    env.write("root/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    env.write(
        "root/var/lib/dpkg/status",
        "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\nSource: openssl\n\n",
    );
    env
}

#[test]
fn directory_target_has_several_notations() {
    let env = env_with_root();
    for words in [
        ["web", "root", "--json"].as_slice(),
        &["web", "--root", "root", "--json"],
        &["web", "./root", "--json"],
    ] {
        let report = env.check(words).assert_passes().json();
        assert_eq!(
            (&report["phase"], &report["os"]["id"]),
            (&"build".into(), &"debian".into()),
            "{report}"
        );
        assert_eq!(report["packages"][0]["source"], "openssl", "{report}");
        assert_eq!(report["platform"]["arch"], "x86_64", "{report}");
    }
    env.check(&["web", "nowhere"])
        .assert_fails(1, &["cannot open", "nowhere"]);
    env.check(&["web"])
        .assert_fails(2, &["image or profile to check is missing"]);
    env.check(&["root"]).assert_fails(2, &["--profile"]);
    env.check(&["web", "root", "--root", "root"])
        .assert_fails(2, &["more than one target"]);
}

#[test]
fn profile_is_checked_without_image_or_catalog() {
    let env = env_with_root();
    let report = env
        .check(&["--profile", "small", "root", "--json"])
        .assert_passes()
        .json();
    assert_eq!(report["profiles"][0]["name"], "small", "{report}");
    assert_eq!(
        report["verdicts"].as_array().map(Vec::len),
        Some(2),
        "{report}"
    );
    let both = env
        .check(&["web", "--profile", "small", "root", "--json"])
        .assert_passes()
        .json();
    assert_eq!(both["verdicts"].as_array().map(Vec::len), Some(3), "{both}");
    fs::remove_file(env.path("bakeline.yaml")).expect("removed");
    fs::write(env.path("images/broken.yaml"), "not a valid image file: [").expect("file");
    env.check(&["--profile", "small", "root"]).assert_passes();
    env.check(&["--profile", "smal", "root"])
        .assert_fails(1, &["no profile `smal`", "did you mean `small`"]);
    env.check(&["--profile", "small", "ami-0123456789abcdef0"])
        .assert_fails(1, &["need the settings of a catalog"]);
}

#[test]
fn failed_check_prints_report_and_exits_3() {
    let env = env_with_root();
    env.write("root/no/such/file", "");
    let result = env.check(&["--profile", "small", "root"]);
    assert_eq!(result.code, 3, "{result:?}");
    for word in [
        "failed",
        "small-2",
        "profiles/small.yaml:",
        "1 failed, 1 passed",
    ] {
        assert!(result.stdout.contains(word), "{word}: {result:?}");
    }
    assert!(
        result
            .stderr
            .contains("1 of 2 checks of `small` failed on root"),
        "{result:?}"
    );
    assert!(
        !result.stdout.contains('\u{1b}'),
        "colors are for terminals only"
    );
}

#[test]
fn check_writes_every_report_format() {
    let env = env_with_root();
    for (format, begins) in [
        ("text", "web on root"),
        ("json", "{\n  \"schema\": 1"),
        ("inspec-json", "{"),
        ("junit", "<?xml"),
        ("html", "<!"),
        ("cyclonedx", "{"),
    ] {
        let result = env.check(&["web", "root", "--format", format]);
        assert!(
            result.assert_passes().stdout.starts_with(begins),
            "{format}: {}",
            &result.stdout[..60.min(result.stdout.len())]
        );
    }
    let two = ["web", "root", "--format", "junit", "--format", "html"];
    env.check(&two).assert_fails(2, &["--output"]);
    env.check(&[two.as_slice(), &["--output", "some"]].concat())
        .assert_passes();
    env.check(&["web", "root", "--output", "all"])
        .assert_passes();
    let file_names = |folder: &str| {
        let mut out: Vec<String> = fs::read_dir(env.path(folder))
            .expect("directory")
            .map(|entry| {
                entry
                    .expect("entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect();
        out.sort();
        out
    };
    assert_eq!(
        file_names("some"),
        ["checks-build.html", "checks-build.junit.xml"]
    );
    let all = ["html", "inspec.json", "json", "junit.xml", "txt"]
        .map(|end| format!("checks-build.{end}"));
    assert_eq!(
        file_names("all"),
        [all.as_slice(), &["packages-build.cdx.json".to_owned()]].concat()
    );
    assert!(
        env.read("all/packages-build.cdx.json")
            .contains("pkg:deb/debian/libssl3@3.0.11-1?")
    );
}

#[test]
fn saved_facts_are_checked_again() {
    let env = env_with_root();
    env.check(&["--profile", "small", "root", "--save-facts", "facts.json"])
        .assert_passes();
    env.check(&[
        "--profile",
        "small",
        "--facts",
        "facts.json",
        "--phase",
        "build",
    ])
    .assert_passes();
    env.write(
        "profiles/more.yaml",
        "checks:\n  - {id: more-1, file: /etc/shadow, exists: false}\n",
    );
    let result = env.check(&[
        "--profile",
        "more",
        "--facts",
        "facts.json",
        "--phase",
        "build",
    ]);
    assert_eq!(result.code, 3, "{result:?}");
    assert!(
        result.stdout.contains("error") && result.stdout.contains("it was not collected"),
        "{result:?}"
    );
    // Evidence contains the facts with their phase.
    let text = env.read("facts.json");
    env.write(
        "evidence.json",
        &format!("{{\"image\":\"x\",\"phase\":\"build\",\"verdicts\":[],\"facts\":{text}}}"),
    );
    let report = env
        .check(&["--profile", "small", "--facts", "evidence.json", "--json"])
        .assert_passes()
        .json();
    assert_eq!(report["phase"], "build");
    for (name, content, expected) in [
        (
            "newer.json",
            text.replacen("\"schema\": 1", "\"schema\": 99", 1),
            "schema 99",
        ),
        (
            "other.json",
            "{\"hello\": 1}".to_owned(),
            "does not contain facts",
        ),
        (
            "cut.json",
            text[..text.len() / 2].to_owned(),
            "not valid JSON",
        ),
        (
            "extra.json",
            text.replacen('{', "{\"unheard\": 1,", 1),
            "does not contain facts",
        ),
    ] {
        env.write(name, &content);
        env.check(&["--profile", "small", "--facts", name])
            .assert_fails(1, &[expected, name]);
    }
}
