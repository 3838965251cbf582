//! What a check leaves: reports in each format, facts that are judged again, and the exit code.

use std::fs;

use super::House;

/// A root file system of a few files.
fn rooted() -> House {
    let house = House::new();
    house.write("root/etc/passwd", "root:x:0:0::/:/bin/sh\n");
    house.write("root/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    house.write(
        "root/var/lib/dpkg/status",
        "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\nSource: openssl\n\n",
    );
    house
}

#[test]
fn a_directory_is_a_target_however_it_is_named() {
    let house = rooted();
    for words in [
        ["web", "root", "--json"].as_slice(),
        &["web", "--root", "root", "--json"],
        &["web", "./root", "--json"],
    ] {
        let report = house.check(words).passes().json();
        assert_eq!(
            (&report["phase"], &report["os"]["id"]),
            (&"build".into(), &"debian".into()),
            "{report}"
        );
        assert_eq!(report["packages"][0]["source"], "openssl", "{report}");
        assert_eq!(report["platform"]["arch"], "x86_64", "{report}");
    }
    house
        .check(&["web", "nowhere"])
        .fails(1, &["can't be opened", "nowhere"]);
    house.check(&["web"]).fails(2, &["not said"]);
    house.check(&["root"]).fails(2, &["--profile"]);
    house
        .check(&["web", "root", "--root", "root"])
        .fails(2, &["more than one target"]);
}

#[test]
fn a_profile_is_judged_without_an_image_and_without_a_catalog() {
    let house = rooted();
    let report = house
        .check(&["--profile", "small", "root", "--json"])
        .passes()
        .json();
    assert_eq!(report["profiles"][0]["name"], "small", "{report}");
    assert_eq!(
        report["verdicts"].as_array().map(Vec::len),
        Some(2),
        "{report}"
    );
    let both = house
        .check(&["web", "--profile", "small", "root", "--json"])
        .passes()
        .json();
    assert_eq!(both["verdicts"].as_array().map(Vec::len), Some(3), "{both}");
    fs::remove_file(house.path("bakeline.yaml")).expect("gone");
    fs::write(
        house.path("images/broken.yaml"),
        "what is here is none of ours: [",
    )
    .expect("a file");
    house.check(&["--profile", "small", "root"]).passes();
    house
        .check(&["--profile", "smal", "root"])
        .fails(1, &["no profile `smal`", "did you mean `small`"]);
    house
        .check(&["--profile", "small", "ami-0123456789abcdef0"])
        .fails(1, &["need a catalog"]);
}

#[test]
fn a_failure_is_exit_3_with_its_report() {
    let house = rooted();
    house.write("root/no/such/file", "");
    let answer = house.check(&["--profile", "small", "root"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    for word in [
        "failed",
        "small-2",
        "profiles/small.yaml:",
        "1 failed, 1 passed",
    ] {
        assert!(answer.out.contains(word), "{word}: {answer:?}");
    }
    assert!(
        answer
            .err
            .contains("1 of 2 checks of `small` failed on root"),
        "{answer:?}"
    );
    assert!(
        !answer.out.contains('\u{1b}'),
        "no colours but at a terminal"
    );
}

#[test]
fn every_format_can_be_had() {
    let house = rooted();
    for (format, begins) in [
        ("text", "web on root"),
        ("json", "{\n  \"schema\": 1"),
        ("inspec-json", "{"),
        ("junit", "<?xml"),
        ("html", "<!"),
        ("cyclonedx", "{"),
    ] {
        let answer = house.check(&["web", "root", "--format", format]);
        assert!(
            answer.passes().out.starts_with(begins),
            "{format}: {}",
            &answer.out[..60.min(answer.out.len())]
        );
    }
    let two = ["web", "root", "--format", "junit", "--format", "html"];
    house.check(&two).fails(2, &["--output"]);
    house
        .check(&[two.as_slice(), &["--output", "some"]].concat())
        .passes();
    house.check(&["web", "root", "--output", "all"]).passes();
    let names = |folder: &str| {
        let mut out: Vec<String> = fs::read_dir(house.path(folder))
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect();
        out.sort();
        out
    };
    assert_eq!(
        names("some"),
        ["checks-build.html", "checks-build.junit.xml"]
    );
    let all = ["html", "inspec.json", "json", "junit.xml", "txt"]
        .map(|end| format!("checks-build.{end}"));
    assert_eq!(
        names("all"),
        [all.as_slice(), &["packages-build.cdx.json".to_owned()]].concat()
    );
    assert!(
        house
            .read("all/packages-build.cdx.json")
            .contains("pkg:deb/debian/libssl3@3.0.11-1?")
    );
}

#[test]
fn facts_are_judged_again_and_what_was_not_collected_is_an_error() {
    let house = rooted();
    house
        .check(&["--profile", "small", "root", "--save-facts", "facts.json"])
        .passes();
    house
        .check(&[
            "--profile",
            "small",
            "--facts",
            "facts.json",
            "--phase",
            "build",
        ])
        .passes();
    house.write(
        "profiles/more.yaml",
        "checks:\n  - {id: more-1, file: /etc/shadow, exists: false}\n",
    );
    let answer = house.check(&[
        "--profile",
        "more",
        "--facts",
        "facts.json",
        "--phase",
        "build",
    ]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert!(
        answer.out.contains("error") && answer.out.contains("it was not collected"),
        "{answer:?}"
    );
    // As evidence holds them: with their phase.
    let text = house.read("facts.json");
    house.write(
        "evidence.json",
        &format!("{{\"image\":\"x\",\"phase\":\"build\",\"verdicts\":[],\"facts\":{text}}}"),
    );
    let report = house
        .check(&["--profile", "small", "--facts", "evidence.json", "--json"])
        .passes()
        .json();
    assert_eq!(report["phase"], "build");
    for (name, change, said) in [
        (
            "newer.json",
            text.replacen("\"schema\": 1", "\"schema\": 99", 1),
            "schema 99",
        ),
        ("other.json", "{\"hello\": 1}".to_owned(), "no facts"),
        ("cut.json", text[..text.len() / 2].to_owned(), "not JSON"),
        (
            "extra.json",
            text.replacen('{', "{\"unheard\": 1,", 1),
            "no facts",
        ),
    ] {
        house.write(name, &change);
        house
            .check(&["--profile", "small", "--facts", name])
            .fails(1, &[said, name]);
    }
}
