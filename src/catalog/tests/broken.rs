//! Tests of broken catalogs: codes, positions and helps.

use super::{BASE, SETTINGS, codes_and_positions, repository};
use crate::catalog::{codes, load};

/// Asserts the diagnostics of one file as `CODE line:column`. The rest of the repository is valid.
pub(super) fn check(file: &str, text: &str, expected: &[&str]) {
    let (catalog, found) = load(&repository(&[(file, text)]));
    let expected: Vec<String> = expected
        .iter()
        .map(|e| e.replacen(' ', &format!(" {file}:"), 1))
        .collect();
    assert_eq!(
        codes_and_positions(&found),
        expected,
        "{file}\n{text}\n{found:#?}"
    );
    assert!(catalog.is_none(), "{text}");
    for d in &found {
        assert!(d.help.is_some(), "{} without help: {}", d.code, d.message);
        assert!(
            !d.message.ends_with('.') && !d.message.contains('\n'),
            "{}",
            d.message
        );
        assert!(codes::ALL.iter().any(|(code, _)| *code == d.code));
    }
}

/// Asserts the diagnostics of the smallest settings with additional text.
pub(super) fn check_settings(more: &str, mut expected: Vec<&str>) {
    expected.sort_by_key(|e| e.split(':').nth(1).map(|c| c.parse::<usize>().unwrap_or(0)));
    check("bakeline.yaml", &format!("{SETTINGS}{more}"), &expected);
}

#[test]
fn builder_settings_are_checked() {
    for (more, expected) in [
        ("namee: x\n", vec!["CAT020 3:1"]),
        ("builder: {subnett: x}\n", vec!["CAT020 3:11"]),
        ("builder: {access: {cidr: [x]}}\n", vec!["CAT020 3:20"]),
        (
            "builder: {access: {cidrs: [10.0.0.0/8], ssm: x}}\n",
            vec!["CAT021 3:41"],
        ),
        ("builder: {access: cidrs}\n", vec!["CAT021 3:19"]),
        ("builder: {access: smm}\n", vec!["CAT023 3:19"]),
        ("builder: {access: [ssm]}\n", vec!["CAT021 3:11"]),
        ("builder: {access: {cidrs: []}}\n", vec!["CAT021 3:20"]),
        (
            "builder: {access: {cidrs: [10.0.0.1/8]}}\n",
            vec!["CAT090 3:28"],
        ),
        (
            "builder: {access: {cidrs: [10.0.0.0/8, 10.0.0.0/8]}}\n",
            vec!["CAT054 3:40"],
        ),
        ("builder: {access: ssm}\n", vec!["CAT095 3:19"]),
        (
            "store: {s3: {bucket: abc, sse: aes}}\n",
            vec!["CAT023 3:32"],
        ),
        (
            "store: {s3: {bucket: abc, kms_key: alias/a}}\n",
            vec!["CAT093 3:36"],
        ),
        (
            "store: {s3: {bucket: abc, sse: AES256, kms_key: alias/a}}\n",
            vec!["CAT093 3:49"],
        ),
        (
            "store: {s3: {bucket: abc, sse: \"aws:kms\", kms_key: mine}}\n",
            vec!["CAT090 3:52"],
        ),
        (
            "store: {s3: {bucket: abc, endpoint: s3.example.com}}\n",
            vec!["CAT093 3:37"],
        ),
        (
            "store: {s3: {bucket: abc, checksum: md5}}\n",
            vec!["CAT023 3:37"],
        ),
        ("builder: {public_address: yes}\n", vec!["CAT021 3:27"]),
        ("builder: {instance_type: big}\n", vec!["CAT090 3:26"]),
        (
            "builder: {instance_types: [t3.small, t4g.small, t3.small]}\n",
            vec!["CAT054 3:49"],
        ),
        ("builder: {subnet: vpc-1}\n", vec!["CAT090 3:19"]),
        (
            "builder: {instance_profile: \"a b\"}\n",
            vec!["CAT090 3:29"],
        ),
        ("builder: {tags: {Environment: x}}\n", vec!["CAT070 3:18"]),
        ("builder:\n", vec!["CAT021 3:1"]),
        ("builder: 5\n", vec!["CAT021 3:10"]),
    ] {
        check_settings(more, expected);
    }
}

#[test]
fn settings_are_checked() {
    for (more, expected) in [
        ("default_environment: prod\n", vec!["CAT050 3:22"]),
        ("environments: []\n", vec!["CAT021 3:1"]),
        ("environments: Test\n", vec!["CAT021 3:15"]),
        ("environments: [Test]\n", vec!["CAT021 3:16"]),
        ("environments: [{tag_value: x}]\n", vec!["CAT022 3:16"]),
        ("environments: [{name: a b}]\n", vec!["CAT030 3:23"]),
        (
            "environments: [{name: A}, {name: a}]\n",
            vec!["CAT052 3:34"],
        ),
        (
            "environments: [{name: A}, {name: B, tag_value: A}]\n",
            vec!["CAT052 3:48"],
        ),
        (
            "environments: [{name: A, tag_value: \"\"}]\n",
            vec!["CAT071 3:37"],
        ),
        (
            "environments: [{name: A, regions: [eu-west-2]}]\n",
            vec!["CAT053 3:36"],
        ),
        (
            "environments: [{name: A, accounts: [123456789012]}]\n",
            vec!["CAT021 3:37"],
        ),
        (
            "environments: [{name: A, accounts: [\"1\"]}]\n",
            vec!["CAT090 3:37"],
        ),
        ("environments: [{name: A, role: x}]\n", vec!["CAT090 3:32"]),
        ("tag_keys: {environment: \"AWS:x\"}\n", vec!["CAT070 3:25"]),
        ("tag_keys: {environment: \"\"}\n", vec!["CAT071 3:25"]),
        ("retention: {keep: 0}\n", vec!["CAT024 3:19"]),
        ("retention: {keep: 010}\n", vec!["CAT024 3:19"]),
        (
            "retention: {keep: 99999999999999999999}\n",
            vec!["CAT024 3:19"],
        ),
        ("retention: {keep: \"3\"}\n", vec!["CAT021 3:19"]),
        ("retention: {keep: 3.0}\n", vec!["CAT021 3:19"]),
        ("max_age: 1h30\n", vec!["CAT092 3:10"]),
        ("max_age: 99999w1s\n", vec!["CAT092 3:10"]),
        ("builder: {timeout: 11h}\n", vec!["CAT092 3:20"]),
        ("on_failure: halt\n", vec!["CAT023 3:13"]),
        ("on_failure: Continue\n", vec!["CAT023 3:13"]),
        ("notifiers: [{slack: {}}]\n", vec!["CAT022 3:21"]),
        (
            "notifiers: [{slak: {webhook_env: X}}]\n",
            vec!["CAT020 3:14"],
        ),
        (
            "notifiers: [{slack: {webhook_env: a-b}}]\n",
            vec!["CAT081 3:35"],
        ),
        (
            "notifiers: [{slack: {webhook_env: \"https://x/y\"}}]\n",
            vec!["CAT080 3:35"],
        ),
        (
            "notifiers: [{slack: {webhook: x}}]\n",
            vec!["CAT020 3:22", "CAT022 3:21"],
        ),
        ("on_failure: stop\non_failure: stop\n", vec!["CAT011 4:1"]),
        ("3: x\n", vec!["CAT020 3:1"]),
    ] {
        check_settings(more, expected);
    }
}

#[test]
fn settings_file_is_checked() {
    check("bakeline.yaml", "regions: [eu-west-1]\n", &["CAT022 1:1"]);
    check("bakeline.yaml", "name: acme\n", &["CAT022 1:1"]);
    check(
        "bakeline.yaml",
        "name: Acme\nregions: [mars, eu-west-1, eu-west-1]\n",
        &["CAT030 1:7", "CAT090 2:11", "CAT054 2:28"],
    );
    check(
        "bakeline.yaml",
        "name: 1\nregions: eu-west-1\n",
        &["CAT021 1:7", "CAT021 2:10"],
    );
    check("bakeline.yaml", "- name\n", &["CAT021 1:1"]);
    check("bakeline.yaml", "# nothing\n", &["CAT008 1:1"]);
}

/// Asserts the diagnostics of the smallest base image with additional text, next to a child `jdk`.
fn check_image(more: &str, expected: &[&str]) {
    let jdk = ("images/jdk.yaml", "parent: base\n");
    let text = format!("{BASE}{more}");
    let (catalog, found) = load(&repository(&[("images/base.yaml", &text), jdk]));
    let expected: Vec<String> = expected
        .iter()
        .map(|e| e.replacen(' ', " images/base.yaml:", 1))
        .collect();
    assert_eq!(codes_and_positions(&found), expected, "{text}\n{found:#?}");
    assert!(catalog.is_none());
    assert!(
        found
            .iter()
            .all(|d| d.help.is_some() || d.code == codes::CHECK),
        "{found:#?}"
    );
}

#[test]
fn image_keys_are_checked() {
    let long = "x".repeat(257);
    for (more, expected) in [
        ("pakages: [a]\n", vec!["CAT020 2:1"]),
        ("name: other\n", vec!["CAT031 2:7"]),
        ("name: Base!\n", vec!["CAT030 2:7"]),
        ("name: jdk\n", vec!["CAT032 2:7"]),
        ("parent: jdk\n", vec!["CAT040 2:9"]),
        ("description: \"a\\nb\"\n", vec!["CAT083 2:14"]),
        ("description: \"a {{env}}\"\n", vec!["CAT082 2:14"]),
        ("description: 5\n", vec!["CAT021 2:14"]),
        (&format!("description: {long}\n"), vec!["CAT083 2:14"]),
        ("platform: debain\n", vec!["CAT023 2:11"]),
        ("arch: amd64\n", vec!["CAT023 2:7"]),
        ("environment: Tset\n", vec!["CAT050 2:14"]),
        (
            "packages: [-y, nginx, nginx]\n",
            vec!["CAT067 2:12", "CAT068 2:23"],
        ),
        ("packages: nginx\n", vec!["CAT021 2:11"]),
        ("packages: [{name: nginx}]\n", vec!["CAT021 2:12"]),
        ("packages: [null]\n", vec!["CAT021 2:12"]),
        ("files: [{source: files/motd}]\n", vec!["CAT022 2:9"]),
        (
            "files: [{source: files/motd, destination: etc/motd}]\n",
            vec!["CAT064 2:43"],
        ),
        (
            "files: [{source: files/motd, destination: /etc/../x}]\n",
            vec!["CAT064 2:43"],
        ),
        (
            "files: [{source: files/motd, destination: /etc/}]\n",
            vec!["CAT064 2:43"],
        ),
        (
            "files: [{source: files/motd, destination: /a, mode: 0644}]\n",
            vec!["CAT021 2:53"],
        ),
        (
            "files: [{source: files/motd, destination: /a, mode: \"0888\"}]\n",
            vec!["CAT065 2:53"],
        ),
        (
            "files: [{source: files/motd, destination: /a, owner: \"a b\"}]\n",
            vec!["CAT066 2:54"],
        ),
        (
            "files: [{source: files/motd, destination: /a}, {source: files/motd, destination: /a}]\n",
            vec!["CAT064 2:82"],
        ),
        ("scripts: [/etc/passwd]\n", vec!["CAT060 2:11"]),
        ("scripts: [files/../../x]\n", vec!["CAT060 2:11"]),
        ("scripts: [\"C:\\\\x\"]\n", vec!["CAT060 2:11"]),
        ("scripts: [\"a b\"]\n", vec!["CAT060 2:11"]),
        ("scripts: [files/motdd]\n", vec!["CAT062 2:11"]),
        ("scripts: [files]\n", vec!["CAT063 2:11"]),
    ] {
        check_image(more, &expected);
    }
}

#[test]
fn image_profiles_tags_and_disks_are_checked() {
    let long = "x".repeat(257);
    for (more, expected) in [
        ("profiles: [wbe]\n", vec!["CAT069 2:12"]),
        ("profiles: [web, web]\n", vec!["CAT054 2:17"]),
        (
            "tags: {name: x, \"BakeLine:x\": y, AWS:z: y, ENVIRONMENT: z}\n",
            vec!["CAT070 2:8", "CAT070 2:17", "CAT070 2:34", "CAT070 2:44"],
        ),
        ("tags: {a: 1.5}\n", vec!["CAT021 2:11"]),
        ("tags: {\"\": x}\n", vec!["CAT071 2:8"]),
        (
            &format!("tags: {{{}: x}}\n", &long[..129]),
            vec!["CAT071 2:8"],
        ),
        (&format!("tags: {{a: {long}}}\n"), vec!["CAT071 2:11"]),
        (
            "tags: {a: \"{{b\", \"{{c\": d}\n",
            vec!["CAT082 2:11", "CAT082 2:18"],
        ),
        ("disk_gib: 0\n", vec!["CAT024 2:11"]),
        ("disk_gib: -1\n", vec!["CAT024 2:11"]),
        ("disk_gib: big\n", vec!["CAT021 2:11"]),
        ("checks: {}\n", vec!["CAT021 2:1"]),
        ("checks: [x]\n", vec!["CAT021 2:10"]),
        ("checks: [{pakage: nginx}]\n", vec!["CAT020 2:11"]),
        ("checks: [{package: {name: nginx}}]\n", vec!["CAT021 2:11"]),
        (
            "checks: [{package: nginx, installed: yes}]\n",
            vec!["CAT021 2:38"],
        ),
        (
            "checks: [{package: -y}, {file: etc}]\n",
            vec!["CAT100 2:20", "CAT100 2:32"],
        ),
    ] {
        check_image(more, &expected);
    }
}

#[test]
fn file_names_are_checked() {
    check("images/x.yml", BASE, &["CAT033 0:0"]);
    check("images/sub/x.yml", BASE, &["CAT033 0:0"]);
    check("images/sub/base.yaml", BASE, &["CAT032 1:1"]);
    check("images/X.yaml", BASE, &["CAT030 1:1"]);
    check("profiles/X.yaml", "checks: []\n", &["CAT030 1:1"]);
    check(
        "profiles/x.yaml",
        "title: \"a{{b\"\ncheck: []\n",
        &["CAT022 1:1", "CAT082 1:8", "CAT020 2:1"],
    );
}

#[test]
fn relations_between_images_are_checked() {
    let kid = |text| ("images/kid.yaml", text);
    for (files, expected) in [
        (
            vec![kid("parent: bsae\n")],
            vec!["CAT041 images/kid.yaml:1:9"],
        ),
        (
            vec![kid("parent: kid\n")],
            vec!["CAT042 images/kid.yaml:1:9"],
        ),
        (
            vec![
                ("images/a.yaml", "parent: b\n"),
                ("images/b.yaml", "parent: c\n"),
                ("images/c.yaml", "parent: a\n"),
                kid("parent: c\n"),
            ],
            vec!["CAT042 images/a.yaml:1:9"],
        ),
        (
            vec![
                ("images/base.yaml", "source: {ssm: /a}\nenvironment: Test\n"),
                ("images/mid.yaml", "parent: base\n"),
                kid("parent: mid\nenvironment: Prod\n"),
            ],
            vec!["CAT051 images/kid.yaml:2:14"],
        ),
        (
            vec![
                ("images/base.yaml", "source: {ssm: /a}\ndisk_gib: 20\n"),
                kid("parent: base\ndisk_gib: 10\n"),
            ],
            vec!["CAT044 images/kid.yaml:2:11"],
        ),
        (
            vec![
                (
                    "images/base.yaml",
                    "source: {ssm: /a}\nchecks: [{package: nginx}]\n",
                ),
                kid("parent: base\nchecks: [{package: nginx, version: \"1\"}]\n"),
            ],
            vec!["CAT100 images/kid.yaml:2:10"],
        ),
        (
            vec![
                (
                    "bakeline.yaml",
                    "name: a23456789012345678901234567890123456789\nregions: [eu-west-1]\n",
                ),
                ("images/b23456789012345678901234567890123456789.yaml", BASE),
            ],
            vec!["CAT034 images/b23456789012345678901234567890123456789.yaml:1:1"],
        ),
    ] {
        let (catalog, found) = load(&repository(&files));
        assert_eq!(
            codes_and_positions(&found),
            expected,
            "{files:?}\n{found:#?}"
        );
        assert!(catalog.is_none());
    }
}
