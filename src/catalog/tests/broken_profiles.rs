//! Tests of broken profiles, inputs, overrides and waivers.

use super::profiles::{BASE, load_errors};

const MANY: &str = "inputs:\n  list: {default: [a]}\n  word: {default: x, pattern: \"[a-z]\"}\n  must: {type: number, required: true}\n\
    checks:\n  - {id: c-01, file: /a, content: {in: $inputs.list}}\n  - {id: c-02, file: /a, content: $inputs.word}\n  \
    - {id: c-03, file: /a, size: $inputs.must}\n";

#[test]
#[rustfmt::skip]
fn broken_profiles_have_messages_with_spans() {
    let used = "profiles: [{name: many, inputs: {must: 1}}]\n";
    let table: &[(&str, &str, &[&str])] = &[
        ("images/base.yaml", "profiles: [many]\n", &["CAT102 images/base.yaml:2:12 the input `must` of the profile `many` has no value (set it: `{name: many, inputs: {must: …}}`)"]),
        ("images/base.yaml", "profiles: [{name: many, inputs: {must: \"1\", wrod: x}}]\n", &["CAT102 images/base.yaml:2:40 input `must`: it must be a number, not text (change the value or the `type` of the input)", "CAT102 images/base.yaml:2:45 unknown input `wrod` (did you mean `word`?)"]),
        ("images/base.yaml", "profiles: [{name: many, inputs: {must: 1, word: xy, list: b}}]\n", &["CAT102 images/base.yaml:2:49 input `word`: does not match `[a-z]` (the pattern must match the whole value)", "CAT102 images/base.yaml:2:59 input `list`: it must be a list, not text (write it as a list: `[…]`)"]),
        ("images/base.yaml", "profiles: [{nam: many}]\n", &["CAT020 images/base.yaml:2:13 unknown key `nam` (did you mean `name`?)"]),
        ("images/base.yaml", "profiles: [{name: many, inputs: {must: 1}}, many]\n", &["CAT054 images/base.yaml:2:45 duplicate profile `many` (remove one of them)"]),
        ("images/base.yaml", "profiles: [man]\n", &["CAT069 images/base.yaml:2:12 the profile `man` does not exist (did you mean `many`?)"]),
        ("images/base.yaml", &format!("{used}disable: {{c-011: x}}\n"), &["CAT103 images/base.yaml:3:11 the control `c-011` does not exist (did you mean `c-01`?)"]),
        ("images/base.yaml", &format!("{used}disable: {{c-01: \" \"}}\n"), &["CAT100 images/base.yaml:3:17 the reason for disabling a control is empty (explain why the control is disabled)"]),
        ("images/base.yaml", &format!("{used}disable: [c-01]\n"), &["CAT021 images/base.yaml:3:1 `disable` must be a map, not a list (write a map)"]),
        ("images/base.yaml", &format!("{used}override: {{c-011: {{impact: 0.1}}}}\n"), &["CAT103 images/base.yaml:3:12 the control `c-011` does not exist (did you mean `c-01`?)"]),
        ("images/base.yaml", &format!("{used}override: {{c-01: {{impct: 0.1}}}}\n"), &["CAT020 images/base.yaml:3:19 unknown key `impct` (did you mean `impact`?)"]),
        ("images/base.yaml", &format!("{used}override: {{c-01: {{impact: 2}}}}\n"), &["CAT024 images/base.yaml:3:27 `impact` is out of range (use a number from 0.0 to 1.0)"]),
        ("images/base.yaml", &format!("{used}override: {{c-01: {{when: pakage(\"x\").installed}}}}\n"), &["CAT100 images/base.yaml:3:25 when: unknown resource `pakage`: did you mean `package`? (write a condition such as `os.name == \"debian\" and package(\"auditd\").installed`)"]),
        ("images/base.yaml", &format!("{used}override: {{c-02: {{inputs: {{word: 5}}}}}}\n"), &["CAT102 images/base.yaml:3:34 input `word`: it must be text, not a number (write it in quotes)"]),
        ("images/base.yaml", &format!("{used}waivers: [{{control: c-04, justification: x, owner: y, expires: 2030-01-01}}]\n"), &["CAT103 images/base.yaml:3:21 the control `c-04` does not exist (did you mean `c-01`?)"]),
        ("images/base.yaml", &format!("{used}waivers: [{{control: c-01, owner: y}}]\n"), &["CAT022 images/base.yaml:3:11 the key `expires` is missing (add `expires: …`)", "CAT022 images/base.yaml:3:11 the key `justification` is missing (add `justification: …`)"]),
        ("images/base.yaml", &format!("{used}waivers: [{{control: c-01, justification: \"\", owner: y, expires: 2030-02-30}}]\n"), &["CAT104 images/base.yaml:3:42 a waiver needs a justification (set the missing value)", "CAT104 images/base.yaml:3:65 `2030-02-30` is not a valid date (use a date such as 2030-12-31)"]),
        ("waivers.yaml", "waivers:\n  - {control: c-01, images: [bas], justification: x, owner: y, expires: 2030-01-01}\n", &["CAT104 waivers.yaml:2:30 the image `bas` does not exist (did you mean `base`?)"]),
        ("waivers.yaml", "waivers:\n  - {control: c-1, justification: x, owner: y, expires: 2030-01-01}\n", &["CAT103 waivers.yaml:2:15 the control `c-1` does not exist (did you mean `c-01`?)"]),
        ("waivers.yaml", "waivers:\n  - &a {control: c-01, justification: x, owner: y, expires: 2030-01-01}\n  - *a\n", &["CAT104 waivers.yaml:2:18 duplicate waiver of `c-01` (remove one of them)"]),
        ("profiles/x.yaml", "title: x\n", &["CAT022 profiles/x.yaml:1:1 the key `checks` is missing (add `checks: …`, or `extends: …`)"]),
        ("profiles/x.yaml", "extends: [{name: many, inputs: {must: 1}}]\ninputs: {word: {default: y}}\n", &["CAT102 profiles/x.yaml:2:10 the input `word` is already declared by an extended profile (set its value: `extends: [{name: …, inputs: {…}}]`, or use another name)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {type: text, default: 1}}\n", &["CAT100 profiles/x.yaml:2:35 it must be text, not a number (write it in quotes)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {type: txt, default: a}}\n", &["CAT023 profiles/x.yaml:2:20 `type` cannot be `txt` (did you mean `text`?)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {default: a, by_os: {debian: [a]}}}\n", &["CAT100 profiles/x.yaml:2:23 it must be a list, not text (write it as a list: `[…]`)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {default: a, required: true}}\n", &["CAT100 profiles/x.yaml:2:36 `required` is not allowed for an input with a value (remove `required` or the values)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {default: a, pattern: \"(\"}}\n", &["CAT100 profiles/x.yaml:2:35 the pattern is not valid: unclosed group (escape special characters with `\\`)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {by_version: {of: inputs.a, \">=1\": x}}}\n", &["CAT100 profiles/x.yaml:2:13 `inputs.a >= \"1\"` is not a valid condition: `a` is not a fact (see the page Checks of the documentation)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {type: exclusions, default: [{path: /opt}]}}\n", &["CAT022 profiles/x.yaml:2:42 the key `reason` is missing (add `reason: …`)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {type: exclusions, default: [/opt]}}\n", &["CAT100 profiles/x.yaml:2:42 the exclusion has no `path` (write each exclusion as `{path: /opt/app/test/*, reason: public test keys}`)"]),
        ("profiles/x.yaml", "checks: []\ninputs: {a: {default: [{path: opt, reason: y}]}}\n", &["CAT100 profiles/x.yaml:2:31 `opt` is not an absolute path (start it with `/`)"]),
        ("profiles/x.yaml", "checks: [{package: aa, when: \"true\"}]\n", &["CAT100 profiles/x.yaml:1:30 when: the condition is always true (remove it)"]),
        ("profiles/x.yaml", "checks: [{package: aa, when: 1 == 2 and os.name == \"debian\"}]\n", &["CAT100 profiles/x.yaml:1:30 when: the condition is always false (use `disable` with a reason, or a condition on facts)"]),
        ("profiles/x.yaml", "checks: [{package: aa, when: os.nam == \"debian\"}]\n", &["CAT100 profiles/x.yaml:1:30 when: `os` has no property `nam`: did you mean `name`? (write a condition such as `os.name == \"debian\" and package(\"auditd\").installed`)"]),
    ];
    let mut wrong = String::new();
    for (path, text, expected) in table {
        let base = format!("{BASE}{}", if *path == "images/base.yaml" { text } else { used });
        let mut files = vec![("profiles/many.yaml", MANY), ("images/base.yaml", base.as_str())];
        if *path != "images/base.yaml" {
            files.push((path, text));
        }
        let expected: Vec<String> = expected.iter().map(|e| (*e).to_owned()).collect();
        let found = load_errors(&files);
        if found != expected {
            wrong += &format!("{path}\n{text}{found:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
