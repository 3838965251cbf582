//! Tests of the `files` resource with recorded frames.

use super::*;
use crate::resource_type::RequestedResource;
use crate::tests::{IDENTITY, controls, lines, refusal};

fn collector_calls(yaml: &[&str]) -> Vec<String> {
    let text: String = yaml.iter().map(|y| format!("- {y}\n")).collect();
    let controls = controls(&text);
    let targets: Vec<&ResourceRef> = controls
        .iter()
        .flat_map(|c| c.expectations())
        .map(|e| &e.target)
        .collect();
    let asked: Vec<RequestedResource<'_>> = targets
        .iter()
        .map(|target| RequestedResource {
            target,
            properties: ["paths".to_owned()].into(),
        })
        .collect();
    requests(&asked)
}

#[test]
fn searches_with_same_start_share_a_walk() {
    let calls = collector_calls(&[
        "{files: /, perm_any: \"6000\"}",
        "{files: /, name: .rhosts, type: file}",
        "{files: /tmp}",
    ]);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(
        calls[0].contains("'-path' './proc'")
            && calls[0].contains("'-perm' '-4000' '-o' '-perm' '-2000'")
            || calls[0].contains("'-perm' '-2000' '-o' '-perm' '-4000'")
    );
    assert!(calls[0].contains("'-name' '.rhosts'") && calls[0].contains("'-xdev'"));
    let calls = collector_calls(&[
        "{files: /srv, exclude: [/srv/a*, /other], one_file_system: false, max_depth: 3}",
    ]);
    assert!(
        calls[0].contains("'-path' './a\\*'")
            && !calls[0].contains("other")
            && !calls[0].contains("xdev"),
        "{calls:?}"
    );
    assert!(calls[0].contains("'-maxdepth' '3'"));
    let calls = collector_calls(&["{files: /a, line_matches: \"^it's\", name: x}"]);
    let test = "'-name' 'x' '-type' 'f' '-exec' 'grep' '-qE' '-e' '^it'\\''s' '{}' ';'";
    assert!(calls[0].contains(test), "{calls:?}");
}

fn judge_check(yaml: &str, payload: &str) -> String {
    let controls = controls(&format!("- {yaml}"));
    let target = controls[0]
        .expectations()
        .first()
        .map(|e| e.target.clone())
        .expect("a target");
    let text = format!("other\n{}\0{payload}", search_key(&target));
    let passwd = ("passwd", "", 0, "-", "root:x:0:0::/:/\n");
    let key = walk_key(&target);
    lines(
        &format!("- {yaml}"),
        &[IDENTITY, passwd, ("found", &key, 0, "-", &text)],
    )
    .join("")
}

#[test]
fn found_paths_are_a_list() {
    assert_eq!(judge_check("{files: /a}", ""), "passed  files:/a");
    assert_eq!(
        judge_check("{files: /a}", "0./other\0"),
        "passed  files:/a",
        "that is another search's"
    );
    assert_eq!(
        judge_check("{files: /a}", "1./x\x001./y z\0"),
        "failed  files:/a  paths: expected empty, actual \"/a/x\", \"/a/y z\""
    );
    assert!(
        judge_check("{files: /, paths: {subset_of: [/x, /y]}}", "1./y\x001./x\0")
            .starts_with("passed")
    );
    assert!(
        judge_check("{files: /, paths: {same_set: ['/a\\nb']}}", "1./a\nb\0").starts_with("passed"),
        "a line feed is escaped"
    );
    let states = "1 81a4 0 0\n1 89ed 0 7\n1./x\x001./1 81a4 0 0\ny\0";
    let yaml = "{files: /, owners: {same_set: [root]}, groups: {same_set: [\"0\", \"7\"]}, modes: \
        {same_set: [\"0644\", \"4755\"]}}";
    assert_eq!(judge_check(yaml, states), "passed  files:/");
    assert_eq!(
        judge_check(yaml, "1./x\x001./1 81a4 0 0\ny\x001 81a4 0 0\n1 89ed 0 7\n"),
        "passed  files:/"
    );
    assert!(
        judge_check(
            "{files: /, owners: {same_set: [root]}}",
            "1 81a4 0 0\n1./x\x001./y\0"
        )
        .starts_with("error")
    );
    let many: String = (0..=MAX_PATHS).map(|i| format!("1./{i}\0")).collect();
    assert!(judge_check("{files: /, paths: {include: /1}}", &many).starts_with("error"));
}

#[test]
fn unreadable_directory_is_an_error() {
    let key = "/a   ";
    for (rc, flags, outcome) in [
        (2, "-", "error"),
        (3, "-", "error"),
        (1, "-", "failed"),
        (0, "t", "error"),
    ] {
        let verdicts = lines(
            "- {files: /a}",
            &[IDENTITY, ("found", key, rc, flags, "\t\t\t\t\t\0x")],
        );
        assert!(verdicts[0].starts_with(outcome), "{verdicts:?}");
    }
    assert!(lines("- {files: /a}", &[IDENTITY])[0].starts_with("error"));
    assert!(
        lines(
            "- {files: /a, if_absent: skip}",
            &[IDENTITY, ("found", key, 1, "-", "")]
        )[0]
        .starts_with("skipped")
    );
    assert!(
        lines("- {files: /a}", &[IDENTITY, ("found", key, 0, "-", "odd")])[0].starts_with("error")
    );
}

#[test]
fn invalid_parameters_are_rejected() {
    for (yaml, part) in [
        ("{files: /, perm_any: \"0000\"}", "no bit"),
        ("{files: /, perm_any: 6000}", "mode"),
        ("{files: /, name: a/b}", "pattern"),
        ("{files: /, type: door}", "unknown value"),
        ("{files: /, max_depth: 0}", "1 to 1000"),
        ("{files: /, nouser: 1}", "true or false"),
        ("{files: /, line_matches: \"\"}", "1 to 1000"),
        ("{files: /, line_matches: \"a\\nb\"}", "one line"),
        ("{files: /, exclude: [tmp]}", "absolute"),
        ("{files: /, exclude: {a: b}}", "map"),
    ] {
        assert!(refusal(yaml).contains(part), "{yaml}: {}", refusal(yaml));
    }
}
