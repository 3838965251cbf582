//! Tests: parsing and evaluation of conditions.

use super::*;
use crate::language::grammar::parse;

/// Values in which `auditd` is installed and most other facts are unknown.
#[derive(Default)]
struct TestValues(MatchContext);

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

    fn context(&self) -> &MatchContext {
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
        ("inputs.level == \"2\"", Ok(true)),
        ("\"08\" == 8", Ok(false)),
        ("inputs.shells == [\"sh\", \"bash\"]", Ok(true)),
        ("inputs.shells == [\"bash\", \"sh\"]", Ok(false)),
        ("inputs.shells != [\"zsh\", \"fish\"]", Ok(true)),
        ("inputs.shells != [\"sh\", \"bash\"]", Ok(false)),
        ("inputs.shells == [\"sh\"]", Ok(false)),
        ("inputs.shells == \"sh\"", Ok(false)),
        ("\"08\" >= 8 and \"08\" <= 8", Ok(true)),
        ("\"1.10\" > 1.9", Ok(false)),
        ("\"1.10\" > \"1.9\"", Ok(true)),
        ("package('gone').version > \"1\"", Ok(false)),
        ("package('gone').version <= \"1\"", Ok(false)),
        (
            "inputs.shells > 1",
            Err("a list has no order: use `==`, `!=` or `in`"),
        ),
        ("m in \"bash\"", Ok(true)),
        ("m in inputs.shells", Ok(true)),
        ("m in [\"zsh\"]", Ok(false)),
        ("m matches \"^ba\"", Ok(true)),
        ("true or package(\"other\").installed", Ok(true)),
        (
            "package(\"other\").installed or true",
            Err("package other.installed: it was not collected"),
        ),
        ("m", Err("text is not a condition: compare it with a value")),
        ("inputs.none == 1", Err("unknown input `none`")),
        ("none == 1", Err("unknown name `none`")),
    ] {
        let condition = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let result = condition.holds(&TestValues::default());
        assert_eq!(
            result.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned),
            "{text}"
        );
    }
}

#[test]
fn invalid_condition_is_an_error() {
    for (text, expected) in [
        ("", "the condition is incomplete"),
        ("true and", "the condition is incomplete"),
        ("(true", "`)` is missing"),
        ("[1 2] == 2", "`,` is missing"),
        ("true true", "unexpected `true`"),
        (
            "package(\"xz\").instaled",
            "`package` has no property `instaled`: did you mean `installed`?",
        ),
        (
            "package(\"xz\").qwertyuiop",
            "`package` has no property `qwertyuiop`: use one of installed, version, upstream, held, arch, \
             source",
        ),
        (
            "pakage(\"x\").installed",
            "unknown resource `pakage`: did you mean `package`?",
        ),
        ("qwertyuiop(\"x\").a", "unknown resource `qwertyuiop`"),
        (
            "package.installed",
            "`package` needs a name: `package(\"…\")`",
        ),
        ("package(x).installed", "`package` takes a name in quotes"),
        ("package(\"xz\").3", "the property of `package` is missing"),
        (
            "package(\"-y\").installed",
            "package(\"-y\"): a package name cannot start with `-`, because apt would read it as \
             an option",
        ),
        (
            "m matches \"(\"",
            "the pattern is not valid: unclosed group",
        ),
        ("a & b", "`&` is not allowed in a condition"),
        ("\"open", "a closing quote is missing"),
        (
            "1.2.3 > 1",
            "`1.2.3` is not a number: put versions in quotes",
        ),
        (
            "inputs.\"a b\" > 1",
            "`\"a b\"` is not the name of an input",
        ),
    ] {
        let message = parse(text).expect_err(text).to_string();
        assert_eq!(message, expected, "{text}");
    }
    let deep = format!("{}true{}", "(".repeat(200), ")".repeat(200));
    assert!(parse(&deep).is_err(), "the nesting is limited");
}
