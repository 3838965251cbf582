//! Tests of `source`: which vendor AMIs a base image accepts.

use std::collections::BTreeMap;

use super::broken::check;
use super::{codes_and_positions, load_valid, repository};
use crate::catalog::{Origin, Source, SourceFilter, load};
use crate::model::ImageName;

/// Returns the source of a valid image file.
fn parsed(source: &str) -> Source {
    let text = format!("source: {source}\n");
    let catalog = load_valid(&[("images/base.yaml", &text)]);
    match &catalog.images[&ImageName::from("base")].origin {
        Origin::Source(source) => source.clone(),
        Origin::Parent(_) => panic!("a base image"),
    }
}

/// Returns code, position, message and help of the diagnostics of a source.
fn problems(source: &str) -> Vec<(String, String, String)> {
    let text = format!("source: {source}\n");
    let (catalog, found) = load(&repository(&[("images/base.yaml", &text)]));
    assert!(catalog.is_none(), "{source}");
    let places = codes_and_positions(&found).into_iter();
    places
        .zip(found)
        .map(|(place, d)| {
            let place = place.replace(" images/base.yaml:", " ");
            (place, d.message, d.help.unwrap_or_default())
        })
        .collect()
}

#[test]
fn source_accepts_conditions() {
    let source = parsed(
        "{owner: amazon, name: \"al2023-ami-*\", exclude: [\"*-minimal-*\", \"*beta*\"], deprecated: true, \
         filters: {root-device-type: [ebs], \"tag:Team\": [a, b], ena-support: [\"true\"]}}",
    );
    let filters = [
        ("ena-support", vec!["true"]),
        ("root-device-type", vec!["ebs"]),
        ("tag:Team", vec!["a", "b"]),
    ];
    let filters = filters.map(|(name, values)| {
        let values = values.into_iter().map(str::to_owned).collect();
        (name.to_owned(), values)
    });
    let expected = Source::Filter(SourceFilter {
        owner: "amazon".to_owned(),
        name: "al2023-ami-*".to_owned(),
        exclude: vec!["*-minimal-*".to_owned(), "*beta*".to_owned()],
        filters: BTreeMap::from(filters),
        deprecated: true,
    });
    assert_eq!(source, expected);
    assert!(source.is_excluded("al2023-ami-minimal-2023.6"));
    assert!(!source.is_excluded("al2023-ami-2023.6"));
    let path = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64".to_owned();
    assert_eq!(
        parsed(&format!("{{ssm: {path}}}")),
        Source::Parameter {
            path,
            deprecated: false
        }
    );
}

#[test]
fn owner_is_alias_or_account() {
    for owner in [
        "amazon",
        "aws-marketplace",
        "aws-backup-vault",
        "self",
        "\"136693071363\"",
    ] {
        let Source::Filter(filter) = parsed(&format!("{{owner: {owner}, name: a}}")) else {
            panic!("a filter")
        };
        assert_eq!(filter.owner, owner.trim_matches('"'));
    }
}

#[test]
fn invalid_filters_are_errors_with_advice() {
    for (filters, place, message, help) in [
        (
            "{root-device-typ: [ebs]}",
            "1:44",
            "EC2 has no filter `root-device-typ` for AMIs",
            "did you mean `root-device-type`?",
        ),
        (
            "{architecture: [arm64]}",
            "1:44",
            "a source cannot use the filter `architecture`",
            "set `arch` of the image instead",
        ),
        (
            "{state: [available]}",
            "1:44",
            "a source cannot use the filter `state`",
            "remove it; a build needs an available AMI",
        ),
        (
            "{owner-alias: [amazon]}",
            "1:44",
            "a source cannot use the filter `owner-alias`",
            "set `owner` of the source instead",
        ),
        (
            "{root-device-type: [esb]}",
            "1:63",
            "the filter `root-device-type` does not accept the value `esb`",
            "did you mean `ebs`?",
        ),
        (
            "{image-id: []}",
            "1:44",
            "the filter `image-id` has no values",
            "write a list of values: `image-id: [VALUE]`",
        ),
        (
            "{image-id: [\"\"]}",
            "1:55",
            "a value of the filter `image-id` is empty",
            "remove the value, or use `*` for any text",
        ),
        (
            "{\"tag:\": [a]}",
            "1:44",
            "the tag key of the filter has 0 characters",
            "write `tag:KEY` with 1 to 128 characters",
        ),
    ] {
        let source = format!("{{owner: amazon, name: a, filters: {filters}}}");
        let found = problems(&source);
        let expected = (
            format!("CAT046 {place}"),
            message.to_owned(),
            help.to_owned(),
        );
        assert_eq!(found, [expected], "{source}");
    }
}

#[test]
fn filters_have_at_most_200_values() {
    let values: Vec<String> = (0..201).map(|n| format!("ami-{n}")).collect();
    let filters = format!("{{image-id: [{}]}}", values.join(", "));
    let found = problems(&format!("{{owner: amazon, name: a, filters: {filters}}}"));
    assert_eq!(
        found[0].1,
        "the filters have more than 200 values, the limit of EC2"
    );
}

#[test]
fn exclude_must_leave_amis() {
    for (pattern, place) in [
        ("debian-12-*", "CAT045 1:56"),
        ("debian-*", "CAT045 1:56"),
        ("*12*", "CAT045 1:56"),
        ("*", "CAT090 1:56"),
        ("a{b", "CAT090 1:56"),
    ] {
        let source = format!("{{owner: amazon, name: \"debian-12-*\", exclude: [\"{pattern}\"]}}");
        let found = problems(&source);
        assert_eq!(found[0].0, place, "{pattern}");
    }
    let found = problems("{owner: amazon, name: a*, exclude: [ab, ab]}");
    assert_eq!(found[0].1, "duplicate pattern `ab`");
    for pattern in ["debian-12-?", "debian-12-*-*", "*-minimal-*"] {
        parsed(&format!(
            "{{owner: amazon, name: \"debian-12-*\", exclude: [\"{pattern}\"]}}"
        ));
    }
}

#[test]
fn parameter_has_no_conditions() {
    let found = problems("{ssm: /a, exclude: [b], filters: {image-id: [c]}}");
    let texts: Vec<&str> = found.iter().map(|f| f.1.as_str()).collect();
    assert_eq!(
        texts,
        [
            "`exclude` has no effect, because `ssm` names exactly one AMI",
            "`filters` has no effect, because `ssm` names exactly one AMI",
        ]
    );
}

#[test]
fn incomplete_sources_are_errors() {
    for (source, expected) in [
        ("{owner: amazon}", vec!["CAT045 1:9"]),
        ("{owner: amazon, name: x, ssm: /a}", vec!["CAT045 1:9"]),
        ("{}", vec!["CAT045 1:9"]),
        (
            "{owner: debian, name: \"*\"}",
            vec!["CAT090 1:17", "CAT090 1:31"],
        ),
        ("{owner: amazon, name: \"a{{b}}\"}", vec!["CAT090 1:31"]),
        ("{ssm: a/b}", vec!["CAT090 1:15"]),
        ("ami-123", vec!["CAT021 1:9"]),
        ("{owner: 136693071363, name: a}", vec!["CAT021 1:17"]),
    ] {
        let mut expected = expected;
        expected.sort_by_key(|e| e.split(':').nth(1).map(|c| c.parse::<usize>().unwrap_or(0)));
        check(
            "images/base.yaml",
            &format!("source: {source}\n"),
            &expected,
        );
    }
    check("images/base.yaml", "description: x\n", &["CAT040 1:1"]);
    check(
        "images/kid.yaml",
        "parent: base\narch: arm64\nplatform: debian\n",
        &["CAT043 2:7", "CAT043 3:11"],
    );
}
