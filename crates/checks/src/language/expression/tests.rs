//! Tests: parsing and evaluation of conditions.

use super::*;
use crate::language::grammar::parse;

/// Values in which `auditd` is installed and most other facts are unknown.
#[derive(Default)]
struct TestValues(Patterns);

impl ConditionValues for TestValues {
    fn observe(&self, target: &ResourceRef, property: &str) -> Observation {
        match (target.subject.as_str(), property) {
            ("auditd", "installed") => Observation::bool(true),
            ("auditd", "version") => Observation::Value(Value::Version("1:3.0.9".to_owned())),
            ("this", "version") => Observation::Value(Value::Version("8.10".to_owned())),
            ("/numbers", "ratio") => Observation::Value(Value::Setting(vec!["0.25".to_owned()])),
            ("file", "AllowUsers") => {
                Observation::Value(Value::Setting(vec!["alice".to_owned(), "bob".to_owned()]))
            }
            ("gone", "version") => Observation::Missing("is not installed".to_owned()),
            _ => Observation::Unknown("it was not collected".to_owned()),
        }
    }

    fn patterns(&self) -> &Patterns {
        &self.0
    }

    fn input(&self, name: &str) -> Result<Tree, EvaluationError> {
        match name {
            "level" => Ok(Tree::Int(2)),
            "shells" => Ok(Tree::List(vec![
                Tree::Text("sh".into()),
                Tree::Text("bash".into()),
            ])),
            _ => Err(EvaluationError::UnknownInput(name.to_owned())),
        }
    }

    fn variable(&self, name: &str) -> Option<Tree> {
        (name == "m").then(|| Tree::Text("bash".into()))
    }
}

#[test]
fn conditions_are_evaluated() {
    for (text, expected) in [
        ("package(\"auditd\").installed", Ok(true)),
        ("not package(\"auditd\").installed", Ok(false)),
        ("not not true and (false or true)", Ok(true)),
        ("package('auditd').version >= \"1:3\"", Ok(true)),
        ("package('auditd').version < \"1:3\"", Ok(false)),
        (
            "os.version >= \"8.9\" and os.version > 8.9 and os.version < 9",
            Ok(true),
        ),
        ("\"3.134\" > \"3.20\" and 0.5 < 3", Ok(true)),
        ("config_file(\"/numbers\").ratio < 0.3", Ok(true)),
        ("\"bob\" in sshd_config(\"file\").AllowUsers", Ok(true)),
        ("\"eve\" in sshd_config(\"file\").AllowUsers", Ok(false)),
        ("package('gone').version == \"1\"", Ok(false)),
        ("package('gone').version != \"1\"", Ok(true)),
        ("inputs.level >= 2 and inputs.level < 10", Ok(true)),
        ("m in inputs.shells", Ok(true)),
        ("m in [\"zsh\"]", Ok(false)),
        ("m matches \"^ba\"", Ok(true)),
        ("true or package(\"other\").installed", Ok(true)),
        ("package(\"other\").installed or true", Err(())),
        ("m", Err(())),
    ] {
        let condition = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(
            condition.holds(&TestValues::default()).map_err(drop),
            expected,
            "{text}"
        );
    }
}

#[test]
fn invalid_condition_is_an_error() {
    for (text, part) in [
        ("", "is incomplete"),
        ("true and", "is incomplete"),
        ("(true", "`)` is missing"),
        ("true true", "unexpected `true`"),
        ("package(\"xz\").instaled", "no property `instaled`"),
        ("pakage(\"x\").installed", "did you mean `package`"),
        ("package.installed", "needs a name"),
        ("package(\"-y\").installed", "option"),
        ("m matches \"(\"", "is not valid"),
        ("a & b", "`&`"),
        ("\"open", "closing quote"),
        ("1.2.3 > 1", "versions in quotes"),
    ] {
        let message = parse(text).expect_err(text).to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
    let deep = format!("{}true{}", "(".repeat(200), ")".repeat(200));
    assert!(parse(&deep).is_err(), "the nesting is limited");
}
