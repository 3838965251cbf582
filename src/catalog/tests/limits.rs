//! Tests of limits of EC2 that several settings share, and of settings that cannot work together.

use super::{BASE, SETTINGS, load_valid, repository};
use crate::catalog::load;
use crate::catalog::tests::broken::check_settings;
use crate::diagnostic::Severity;

/// Returns a map of tags with these numbers as keys.
fn tags(numbers: std::ops::Range<usize>) -> String {
    let tags: Vec<String> = numbers.map(|n| format!("T{n:02}: x")).collect();
    format!("{{{}}}", tags.join(", "))
}

/// Returns `CODE file:line:column message | help` of all diagnostics.
fn diagnostics(settings: &str, image: &str) -> Vec<String> {
    let files = [("bakeline.yaml", settings), ("images/base.yaml", image)];
    let (catalog, found) = load(&repository(&files));
    let has_errors = found.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(catalog.is_none(), has_errors);
    let describe = |d: &crate::diagnostic::Diagnostic| {
        let place = &d.span;
        let help = d.help.as_deref().unwrap_or_default();
        let at = format!("{}:{}:{}", place.file, place.line, place.column);
        format!("{} {at} {} | {help}", d.code, d.message)
    };
    found.iter().map(describe).collect()
}

#[test]
fn tags_of_builder_and_image_share_one_limit() {
    let help = "EC2 allows 50 tags on a resource, and bakeline needs 25 of them";
    let with = |builder: &str, image: &str| {
        let settings = format!("{SETTINGS}builder: {{tags: {builder}}}\n");
        diagnostics(&settings, &format!("{BASE}tags: {image}\n"))
    };
    for (builder, image) in [
        (0..0, 0..25),
        (0..25, 0..25),
        (0..20, 10..25),
        (0..20, 20..25),
    ] {
        assert_eq!(with(&tags(builder), &tags(image)), Vec::<String>::new());
    }
    let at = "images/base.yaml:2:8";
    assert_eq!(
        with(&tags(0..25), "{New: x}"),
        [format!(
            "CAT071 {at} `tags` and `builder.tags` have 26 keys; the limit is 25 | {help}"
        )]
    );
    let at = "images/base.yaml:2:56";
    assert_eq!(
        with(&tags(0..20), &tags(19..27)),
        [format!(
            "CAT071 {at} `tags` and `builder.tags` have 27 keys; the limit is 25 | {help}"
        )]
    );
    assert_eq!(
        with(&tags(0..26), "{}")[0],
        format!("CAT071 bakeline.yaml:3:218 26 tags exceed the limit of 25 | {help}")
    );
}

#[test]
fn names_of_environments_fit_into_the_current_tag() {
    let settings = |count: usize, length: usize| {
        let name = |letter: char| format!("{{name: {}{letter}}}", "e".repeat(length - 1));
        let names: Vec<String> = ('a'..='z').take(count).map(name).collect();
        format!("{SETTINGS}environments:\n  - {}\n", names.join("\n  - "))
    };
    // Each entry has its name, 21 characters, and a space before it.
    for (count, length) in [(10, 2), (8, 10), (7, 14), (4, 40)] {
        assert_eq!(
            diagnostics(&settings(count, length), BASE),
            Vec::<String>::new()
        );
    }
    for (count, length, expected) in [(11, 2, 263), (9, 10, 287), (8, 14, 287)] {
        assert_eq!(
            diagnostics(&settings(count, length), BASE),
            [format!(
                "CAT071 bakeline.yaml:{}:12 the tag `bakeline:current` could have {expected} characters with this \
                 environment; the limit is 256 | use shorter names or fewer environments",
                count + 3
            )]
        );
    }
}

#[test]
fn ssm_sessions_need_an_instance_profile() {
    let settings = format!("{SETTINGS}builder: {{access: ssm}}\n");
    assert_eq!(
        diagnostics(&settings, BASE),
        [
            "CAT095 bakeline.yaml:3:19 `access: ssm` needs an instance profile, and the image `base` has none | set \
             `instance_profile` to one with the policy AmazonSSMManagedInstanceCore"
        ]
    );
    let own = format!("{BASE}builder: {{instance_profile: build}}\n");
    load_valid(&[("bakeline.yaml", &settings), ("images/base.yaml", &own)]);
}

#[test]
fn public_address_with_private_ranges_is_a_warning() {
    let text = "the instances get a public address, but `access` allows private addresses only | add the public \
                address of the runner to `access`, such as `{cidrs: [203.0.113.7/32]}`";
    for (access, is_private) in [
        ("", true),
        (", access: {cidrs: [10.0.0.0/8]}", true),
        (", access: {cidrs: [10.0.0.0/8, 203.0.113.7/32]}", false),
        (", access: ssm, instance_profile: build", false),
    ] {
        let expected = |at: &str| {
            let found = is_private.then(|| format!("CAT095 {at} {text}"));
            found.into_iter().collect::<Vec<_>>()
        };
        let settings = format!("{SETTINGS}builder: {{public_address: true{access}}}\n");
        assert_eq!(diagnostics(&settings, BASE), expected("bakeline.yaml:3:27"));
        let settings = format!("{SETTINGS}builder: {{public_address: false{access}}}\n");
        assert_eq!(diagnostics(&settings, BASE), Vec::<String>::new());
        let image = format!("{BASE}builder: {{public_address: true}}\n");
        assert_eq!(
            diagnostics(&settings, &image),
            expected("images/base.yaml:2:27")
        );
    }
}

#[test]
fn roles_of_environments_are_checked() {
    for (more, expected) in [
        (
            "environments: [{name: A, read_role: x, external_id: '*'}]\n",
            vec!["CAT090 3:37", "CAT090 3:53"],
        ),
        (
            "environments: [{name: A, role: 'arn:aws-cn:iam::123456789012:role/a'}]\n",
            vec!["CAT055 3:32"],
        ),
        (
            "environments: [{name: A, read_role: 'arn:aws-us-gov:iam::123456789012:role/a'}]\n",
            vec!["CAT055 3:37"],
        ),
    ] {
        check_settings(more, expected);
    }
}
