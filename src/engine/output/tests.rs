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
