//! Tests of broken checks: alone, in an image and in a lineage.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, Files, Lookup, load};
use crate::diagnostic::Diagnostic;
use crate::model::ImageName;

struct Repository(BTreeMap<String, String>);

impl Files for Repository {
    fn get(&self, path: &str) -> Lookup {
        self.0.get(path).map_or(Lookup::Missing, |text| {
            Lookup::Found(text.clone().into_bytes())
        })
    }

    fn list(&self, folder: &str) -> Vec<String> {
        self.0
            .keys()
            .filter(|p| p.starts_with(&format!("{folder}/")))
            .cloned()
            .collect()
    }
}

fn load_files(files: &[(&str, &str)]) -> (Option<Catalog>, Vec<Diagnostic>) {
    let settings = ("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n");
    let all = files
        .iter()
        .chain([&settings])
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    load(&Repository(all.collect()))
}

/// Formats a diagnostic as `CODE line:column message (help)`, with the file before the line if
/// `file` is true.
fn format_diagnostic(d: &Diagnostic, file: bool) -> String {
    let file = if file {
        format!("{}:", d.span.file)
    } else {
        String::new()
    };
    // The list of resources is not stable.
    let help = d.help.as_deref().unwrap_or("NO HELP");
    let help = help
        .find("one of `file`, `package`")
        .map_or(help.to_owned(), |at| format!("{}one of …", &help[..at]));
    format!(
        "{} {file}{}:{} {} ({help})",
        d.code, d.span.line, d.span.column, d.message
    )
}

#[test]
fn broken_checks_have_messages_with_spans() {
    let mut wrong = Vec::new();
    for (entry, expected) in TABLE {
        let profile = format!("checks:\n  - {entry}\n");
        let (catalog, found) = load_files(&[("profiles/web.yaml", &profile)]);
        let found: Vec<String> = found.iter().map(|d| format_diagnostic(d, false)).collect();
        if found != *expected {
            wrong.push(format!("{entry}: {found:#?}"));
        }
        assert!(catalog.is_none(), "{entry}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[rustfmt::skip]
const TABLE: &[(&str, &[&str])] = &[
    ("x", &["CAT021 2:5 an entry of `checks` must be a map, not text (start with one of …)"]),
    ("file", &["CAT021 2:5 an entry of `checks` must be a map, not text (start with one of …)"]),
    ("5", &["CAT021 2:5 an entry of `checks` must be a map, not the number `5` (start with one of …)"]),
    ("", &["CAT021 2:5 an entry of `checks` must be a map, not nothing (start with one of …)"]),
    ("{}", &["CAT020 2:5 an entry of `checks` has no resource (start with one of …)"]),
    ("[file]", &["CAT021 2:5 an entry of `checks` must be a map, not a list (start with one of …)"]),
    ("pacakge: nginx", &["CAT020 2:5 unknown key `pacakge` (did you mean `package`?)"]),
    ("windows_feature: kvm", &["CAT020 2:5 an entry of `checks` has no resource (start with one of …)"]),
    ("file: {path: /etc/motd}", &["CAT021 2:5 `file` must be text, not a map (write `file: /etc/motd`)"]),
    ("file:", &["CAT021 2:5 `file` has no value (set text, or remove the key)"]),
    ("package: nginx\n    service: nginx", &["CAT020 3:5 unknown key `service` (known keys: `package`, `installed`, `be_installed`, `version`, `upstream`, `held`, `arch`, `source`, `id`, `title`, `desc`, `impact`, `tags`, `refs`, `phase`, `within`, `when`, `for_each`, `manual`, `if_absent`)"]),
    ("title: nothing else", &["CAT020 2:5 an entry of `checks` has no resource (start with one of …)"]),
    ("{file: /a, exits: true}", &["CAT020 2:16 unknown key `exits` (did you mean `exists`?)"]),
    ("{file: /a, exists: yes, colour: red}", &["CAT021 2:24 `exists` must be true or false or a map, not text (write true)", "CAT020 2:29 unknown key `colour` (known keys: `file`, `exists`, `exist`, `type`, `owner`, `owned_by`, `be_owned_by`, `group`, `grouped_into`, `be_grouped_into`, `mode`, `uid`, `gid`, `readable`, `be_readable`, `writable`, `be_writable`, `executable`, `be_executable`, `suid`, `setuid`, `be_setuid`, `sgid`, `setgid`, `be_setgid`, `sticky`, `be_sticky`, `immutable`, `be_immutable`, `acl`, `size`, `link_target`, `link_path`, `content`, `sha256`, `sha256sum`, `id`, `title`, `desc`, `impact`, `tags`, `refs`, `phase`, `within`, `when`, `for_each`, `manual`, `if_absent`)"]),
    ("{file: 1}", &["CAT021 2:12 `file` must be text, not the number `1` (quote it: \"1\")"]),
    ("{file: /a, mode: 0644}", &["CAT021 2:22 `mode` must be text or a map, not the number `0644` (quote it: \"0644\")"]),
    ("{file: /a, mode: [\"0644\"]}", &["CAT021 2:16 `mode` must be text or a map, not a list (write text or a map)"]),
    ("{file: /a, mode:}", &["CAT021 2:16 `mode` has no value (set text or a map, or remove the key)"]),
    ("{file: /a, owner: true}", &["CAT021 2:23 `owner` must be text or a whole number or a map, not the boolean `true` (quote it: \"true\")"]),
    ("{file: /a, owner: 00}", &["CAT024 2:23 `owner` has a leading zero, which YAML versions interpret differently (remove the leading zero)"]),
    ("{file: /a, size: 1.5}", &["CAT021 2:22 `size` must be a whole number or a map, not the number `1.5` (write a whole number or a map)"]),
    ("{file: /a, size: 99999999999999999999}", &["CAT024 2:22 `size` is out of range (use a whole number of at most 18 decimal digits)"]),
    ("{file: /a, type: fiel}", &["CAT023 2:22 `type` cannot be `fiel` (did you mean `file`?)"]),
    ("{file: /a, type: {not: fifo}}", &["CAT023 2:28 `not` cannot be `fifo` (use `file`, `directory`, `link`, `socket`, `pipe`, `char`, `block`)"]),
    ("{package: nginx, version: 1.22}", &["CAT021 2:31 `version` must be text or a map, not the number `1.22` (quote it: \"1.22\")"]),
    ("{service: nginx, phase: boot}", &["CAT021 2:29 `phase` must be a list, not text (write it as a list: `- …`)"]),
    ("{service: nginx, phase: [bot]}", &["CAT023 2:30 an entry of `phase` cannot be `bot` (did you mean `boot`?)"]),
    ("{file: /a, impact: 1.5}", &["CAT024 2:24 `impact` is out of range (use a number from 0.0 to 1.0)"]),
    ("{file: /a, impact: .nan}", &["CAT024 2:24 `impact` is out of range (use a number from 0.0 to 1.0)"]),
    ("{file: /a, impact: high}", &["CAT021 2:24 `impact` must be a number, not text (write a number)"]),
    ("{command: id, timeout: 0}", &["CAT100 2:28 timeout: it must be 1 to 600 seconds (use a whole number from 1 to 600)"]),
    ("{command: id, exit_status: \"0\"}", &["CAT021 2:32 `exit_status` must be a whole number or a map, not text (write a whole number or a map)"]),
    ("{file: /a, if_absent: skipp}", &["CAT023 2:27 `if_absent` cannot be `skipp` (did you mean `skip`?)"]),
    ("{file: /a, tags: {cis: 1.10}}", &["CAT021 2:28 `cis` must be text, not the number `1.10` (quote it: \"1.10\")"]),
    ("{file: /a, mode: {at_mst: \"0644\"}}", &["CAT020 2:23 unknown key `at_mst` (did you mean `at_most`?)"]),
    ("{file: /a, mode: {not: {at_mst: \"0644\"}}}", &["CAT020 2:29 unknown key `at_mst` (did you mean `at_most`?)"]),
    ("{file: /a, mode: {in: [\"0644\", 0600]}}", &["CAT021 2:36 an entry of `in` must be text, not the number `0600` (quote it: \"0600\")"]),
    ("{file: /a, owner: {in: []}}", &["CAT021 2:24 `in` is empty (add at least one entry)"]),
    ("{file: /a, content: {}}", &["CAT021 2:16 `content` is empty (add one of `eq`, `cmp`, `not`, `and`, `or`, `absent`, `match`, `include`, `line`, `lines_include`, `in`, `at_most`, `at_least`, `between`, `version`, `duration`, `json`, `subset_of`, `superset_of`, `same_set`, `disjoint`, `empty`, `duplicates`, `count`, `each`, `any`, `none`)"]),
    ("{file: /a, content: {include: 42}}", &["CAT021 2:35 `include` must be text, not the number `42` (quote it: \"42\")"]),
    ("{file: etc/motd}", &["CAT100 2:12 file: the path must be absolute (start it with `/`)"]),
    ("{file: /a, mode: \"0888\"}", &["CAT100 2:22 mode: `0888` is not three or four octal digits (write a mode such as \"0644\")"]),
    ("{file: /a, mode: {match: \"6\"}}", &["CAT100 2:30 mode: `match` does not apply to this property (use `eq` or `in`)"]),
    ("{file: /a, content: {not: {match: \"(\"}}}", &["CAT100 2:39 content: the pattern is not valid: unclosed group (escape special characters with `\\`)"]),
    ("{file: /a, content: {match: a, at_most: b}}", &["CAT100 2:45 content: `at_most` does not apply to this property (use `eq`, `match` or `include`)"]),
    ("{file: /a, exists: false, mode: \"0644\"}", &["CAT100 2:5 `exists: false` contradicts the other expected properties (remove one of them)"]),
    ("{file: /a, id: \"\", title: \"\"}", &["CAT100 2:20 id: it must be one line of 1 to 200 characters (shorten or remove it)", "CAT100 2:31 title: it must be one line of 1 to 200 characters (shorten or remove it)"]),
    ("{file: /a, phase: []}", &["CAT100 2:23 `phase` lists no phase (list `build`, `boot` or both)"]),
    ("{file: /a, phase: [boot, boot]}", &["CAT100 2:23 `phase` has an unknown or repeated entry (list `build`, `boot` or both)"]),
    ("{package: -y}", &["CAT100 2:15 package: a package name cannot start with `-`, because apt would read it as an option (use a package's name, such as `nginx` or `libc6:amd64`)"]),
    ("{package: nginx, version: {at_least: latest}}", &["CAT100 2:42 version: `latest` is not a version (write a version such as \"1.22.1-9\")"]),
    ("{service: \"a b\"}", &["CAT100 2:15 service: ` ` can't be in a unit's name (use a unit's name, such as `nginx` or `apt-daily.timer`)"]),
    ("{command: \" \"}", &["CAT100 2:15 command: the command is empty (write a command line for sh)"]),
    ("{file: /a, when: pakage(\"x\").installed}", &["CAT100 2:22 when: unknown resource `pakage`: did you mean `package`? (write a condition such as `os.name == \"debian\" and package(\"auditd\").installed`)"]),
    ("{file: /a, when: inputs.x == 1}", &["CAT100 2:22 unknown input `x` (declare it under `inputs:`)"]),
    ("{file: \"/${n}\", for_each: {m: [a]}}", &["CAT100 2:12 `${n}` is not a variable of `for_each` (use one of m)"]),
    ("{file: $inputs.where}", &["CAT100 2:12 unknown input `where` (declare it under `inputs:`)"]),
    ("{any_of: []}", &["CAT021 2:6 `any_of` is empty (add at least one entry)"]),
    ("{any_of: [{file: /a, mdoe: x}, {package: -y}]}", &["CAT020 2:26 unknown key `mdoe` (did you mean `mode`?)", "CAT100 2:46 package: a package name cannot start with `-`, because apt would read it as an option (use a package's name, such as `nginx` or `libc6:amd64`)"]),
    ("{any_of: [{title: x}]}", &["CAT020 2:16 an entry of `any_of` has no resource (start with one of …)"]),
    ("{file: /a, any_of: [{file: /b}]}", &["CAT020 2:16 unknown key `any_of` (known keys: `file`, `exists`, `exist`, `type`, `owner`, `owned_by`, `be_owned_by`, `group`, `grouped_into`, `be_grouped_into`, `mode`, `uid`, `gid`, `readable`, `be_readable`, `writable`, `be_writable`, `executable`, `be_executable`, `suid`, `setuid`, `be_setuid`, `sgid`, `setgid`, `be_setgid`, `sticky`, `be_sticky`, `immutable`, `be_immutable`, `acl`, `size`, `link_target`, `link_path`, `content`, `sha256`, `sha256sum`, `id`, `title`, `desc`, `impact`, `tags`, `refs`, `phase`, `within`, `when`, `for_each`, `manual`, `if_absent`)"]),
    ("{file: a, mdoe: \"0644\", mode: 644, exists: 1, impact: 2}", &["CAT100 2:12 file: the path must be absolute (start it with `/`)", "CAT020 2:15 unknown key `mdoe` (did you mean `mode`?)", "CAT021 2:35 `mode` must be text or a map, not the number `644` (quote it: \"644\")", "CAT021 2:48 `exists` must be true or false or a map, not the number `1` (write true or false or a map)", "CAT024 2:59 `impact` is out of range (use a number from 0.0 to 1.0)"]),
    ("{file: /a}\n  - flie: /b\n  - package: {nam: x}", &["CAT020 3:5 unknown key `flie` (did you mean `file`?)", "CAT021 4:5 `package` must be text, not a map (write `package: x`)"]),
];

/// Returns the IDs of the controls in order, or the diagnostics with their files.
fn control_ids(
    profiles: &[(&str, &str)],
    images: &[(&str, &str)],
    image: &str,
) -> Result<Vec<String>, Vec<String>> {
    let paths = |folder: &str, list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter()
            .map(|(name, text)| (format!("{folder}/{name}.yaml"), (*text).to_owned()))
            .collect()
    };
    let all: Vec<(String, String)> = paths("profiles", profiles)
        .into_iter()
        .chain(paths("images", images))
        .collect();
    let all: Vec<(&str, &str)> = all
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let (catalog, found) = load_files(&all);
    let Some(catalog) = catalog else {
        return Err(found.iter().map(|d| format_diagnostic(d, true)).collect());
    };
    assert_eq!(found, []);
    Ok(catalog
        .controls(&ImageName::from(image))
        .iter()
        .map(|c| c.id.clone())
        .collect())
}

const BASE: &str = "source: {ssm: /a}\n";

#[test]
fn control_ids_are_unique() {
    let nginx = "checks:\n  - {package: nginx}\n";
    let own = format!("{BASE}profiles: [a, b]\nchecks:\n  - {{package: nginx, version: \"1\"}}\n");
    assert_eq!(
        control_ids(&[("a", nginx), ("b", nginx)], &[("base", &own)], "base").expect("sound"),
        ["package:nginx", "package:nginx#2", "package:nginx#3"]
    );
    let mine = "checks:\n  - {package: nginx, id: mine}\n";
    let twice = "checks:\n  - {package: nginx, id: mine}\n  - {service: nginx, id: mine}\n";
    let named = format!("{BASE}profiles: [a, b]\n");
    let own = format!("{BASE}profiles: [a]\nchecks:\n  - {{file: /a, id: mine}}\n");
    let default =
        format!("{BASE}profiles: [a]\nchecks:\n  - {{file: /a, id: \"package:nginx\"}}\n");
    let of_base =
        "is already used by another check of the image `base` (use another ID, or remove the key)";
    let of_file =
        "is already used by another check of this file (use another ID, or remove the key)";
    for (a, b, base, expected) in [
        (
            mine,
            mine,
            &named,
            format!("CAT100 profiles/b.yaml:2:5 the ID `mine` {of_base}"),
        ),
        (
            mine,
            nginx,
            &own,
            format!("CAT100 images/base.yaml:4:5 the ID `mine` {of_base}"),
        ),
        (
            nginx,
            nginx,
            &default,
            format!("CAT100 images/base.yaml:4:5 the ID `package:nginx` {of_base}"),
        ),
        (
            twice,
            nginx,
            &named,
            format!("CAT100 profiles/a.yaml:3:5 the ID `mine` {of_file}"),
        ),
    ] {
        let found =
            control_ids(&[("a", a), ("b", b)], &[("base", base)], "base").expect_err("a clash");
        assert_eq!(found, [expected]);
    }
}

#[test]
fn inherited_check_is_not_repeated_or_replaced() {
    let base = format!("{BASE}profiles: [a]\nchecks:\n  - {{file: /a}}\n");
    let a = ("a", "checks:\n  - {package: nginx}\n");
    let zkid_controls = |own: &str| {
        let kid = "parent: base\n";
        let grandkid = format!("parent: kid\n{own}");
        control_ids(
            &[a, ("b", "checks:\n  - {package: nginx}\n")],
            &[("base", &base), ("kid", kid), ("zkid", &grandkid)],
            "zkid",
        )
    };
    for (own, expected) in [
        ("", vec![]),
        ("profiles: [a]\n", vec![]),
        ("profiles: [b]\n", vec![]),
        ("checks: [{exists: true, file: /a}]\n", vec![]),
        ("checks: [{file: /a}, {file: /a}]\n", vec!["file:/a#2"]),
        ("checks: [{file: /a, type: file, id: more}]\n", vec!["more"]),
    ] {
        let expected: Vec<&str> = ["package:nginx", "file:/a"]
            .into_iter()
            .chain(expected)
            .collect();
        assert_eq!(zkid_controls(own).expect(own), expected, "{own}");
    }
    let message = "the check `file:/a` of `zkid` has the ID of a different check of its ancestor `base` (set a unique `id` to run both checks)";
    for (own, span) in [
        (
            "checks:\n  - {file: /a, type: file}\n",
            "images/zkid.yaml:3:5",
        ),
        (
            "checks:\n  - {file: /a, phase: [boot]}\n",
            "images/zkid.yaml:3:5",
        ),
        (
            "checks:\n  - {file: /b}\n  - {package: nginx, id: \"file:/a\"}\n",
            "images/zkid.yaml:4:5",
        ),
    ] {
        assert_eq!(
            zkid_controls(own).expect_err(own),
            [format!("CAT100 {span} {message}")],
            "{own}"
        );
    }
}

#[test]
fn id_conflict_is_reported_once() {
    let kid = "parent: base\nchecks:\n  - {file: /a, type: file}\n";
    let base = format!("{BASE}checks: [{{file: /a}}]\n");
    let images = [
        ("base", base.as_str()),
        ("kid", kid),
        ("zkid", "parent: kid\n"),
    ];
    let found = control_ids(&[], &images, "zkid").expect_err("a clash");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("CAT100 images/kid.yaml:3:5 "),
        "{found:?}"
    );
}

#[test]
fn property_key_is_not_a_second_resource() {
    let all = "checks:\n  - {sshd_config: file, mount: \"no\", service: 1}\n  - {manual: a person looks, file: /a}\n  - {owner: root, file: /b}\n";
    let base = format!("{BASE}{all}");
    assert_eq!(
        control_ids(&[], &[("base", &base)], "base").expect("sound"),
        ["sshd_config:file", "file:/a", "file:/b"]
    );
    let base = format!("{BASE}checks:\n  - {{file: /a, sshd_config: file}}\n");
    assert!(
        control_ids(&[], &[("base", &base)], "base").expect_err("two")[0]
            .contains("unknown key `sshd_config`")
    );
}
