//! Tests the JSON format of outputs and the errors for missing outputs.

use super::*;

fn json(output: &StepOutput) -> String {
    output.to_json().to_string()
}

#[test]
fn outputs_keep_their_journal_format() {
    let ami = || AmiId::from("ami-1");
    let built = |log| StepOutput::Build {
        ami: ami(),
        base: "ami-0".into(),
        log,
        instance_type: None,
        subnet: None,
    };
    assert_eq!(json(&built(None)), r#"{"ami":"ami-1","base":"ami-0"}"#);
    assert_eq!(
        json(&built(Some("a.log".into()))),
        r#"{"ami":"ami-1","base":"ami-0","log":"a.log"}"#
    );
    let discarded = StepOutput::Discarded {
        discarded: "acme/web".to_owned(),
    };
    assert_eq!(json(&discarded), r#"{"thrown_away":"acme/web"}"#);
    let deleted = StepOutput::Deleted { deleted: None };
    assert_eq!(json(&deleted), r#"{"deleted":null}"#);
    let moves = StepOutput::Moves {
        moves: vec![MovedAmi {
            env: "Test".into(),
            ami: ami(),
            region: "r".into(),
            before: Tags::new(),
        }],
        ami: Some(ami()),
    };
    assert_eq!(
        json(&moves),
        r#"{"moves":[{"env":"Test","ami":"ami-1","region":"r","before":{}}],"ami":"ami-1"}"#
    );
}

#[test]
fn missing_output_names_the_step() {
    let build: StepId = "web/build".parse().expect("a step ID");
    let mut outputs = Outputs::default();
    let error = outputs
        .ami(&AmiRef::MadeBy(build.clone()))
        .expect_err("empty");
    assert!(error.one_line().contains("web/build"), "{error}");
    outputs.insert(
        build.clone(),
        StepOutput::Group {
            group: "sg-1".into(),
        },
    );
    assert!(outputs.ami(&AmiRef::MadeBy(build.clone())).is_err());
    assert_eq!(outputs.group(&build).expect("a group"), "sg-1");
}

/// Journal lines of every kind of output.
const ALL_OUTPUTS: [&str; 31] = [
    r#"{"key_pair":"k","file":"/run/key"}"#,
    r#"{"group":"sg-1"}"#,
    r#"{"ami":"ami-1","base":"ami-0"}"#,
    r#"{"ami":"ami-1","base":"ami-0","log":"a.log"}"#,
    r#"{"ami":"ami-1","snapshots":["snap-1"]}"#,
    r#"{"ami":"ami-1","base":"ami-0","instance_type":"t3.small","subnet":"subnet-1"}"#,
    r#"{"instance":"i-1","address":"10.0.0.1","ami":"ami-1","instance_type":"t3.small"}"#,
    r#"{"allowed":{"ami-1":["222222222222"]}}"#,
    r#"{"disallowed":{"ami-1":[]}}"#,
    r#"{"summary":"3 passed","evidence":"/run/facts.json"}"#,
    r#"{"facts":"web/facts.json"}"#,
    r#"{"terminated":"i-1"}"#,
    r#"{"deleted":null}"#,
    r#"{"moves":[{"env":"Test","ami":"ami-1","region":"r","before":{}}],"ami":"ami-1"}"#,
    r#"{"deprecated":"ami-1","from":"2026-11-22T12:00:00Z"}"#,
    r#"{"disabled":"ami-1","permissions":["all"]}"#,
    r#"{"deregistered":"ami-1","snapshots":[]}"#,
    r#"{"deregistered":"ami-1","already":true}"#,
    r#"{"restored":"ami-1","state":"released","permissions":[],"lost":0}"#,
    r#"{"restored":"ami-1","state":"released","permissions":[],"lost":0,"refused":"no"}"#,
    r#"{"unpointed":"ami-1","pointers":["/p"]}"#,
    r#"{"thrown_away":"acme/web"}"#,
    r#"{"removed":"sg-1","kind":"security-group"}"#,
    r#"{"shared":"ami-1","with":"222222222222","given":"launch"}"#,
    r#"{"original":"ami-1","ended":true}"#,
    r#"{"ami":"ami-2","origin":"r:ami-1","snapshots":[]}"#,
    r#"{"launchable":"ami-1"}"#,
    r#"{"tagged":["ami-1"],"tags":{"k":"v"}}"#,
    r#"{"revoked":["ami-1"],"unpublished":[]}"#,
    r#"{"pointer":"/p","ami":"ami-1"}"#,
    r#"{"ami":"ami-1","checks":"abc"}"#,
];

#[test]
fn every_output_is_read_back_from_the_journal() {
    for text in ALL_OUTPUTS {
        let output: StepOutput =
            serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(json(&output), text, "{output:?}");
    }
    for text in [r#"{"written":"key"}"#, r#"{"removed":"key"}"#] {
        let output: StepOutput = serde_json::from_str(text).expect("an output");
        assert_eq!(json(&output), text);
    }
    assert!(serde_json::from_str::<StepOutput>(r#"{"ami":"ami-1","unknown":1}"#).is_err());
}
