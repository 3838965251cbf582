//! Defines controls: expectations with a title, an impact and a phase.
//!
//! bakeline passes controls to other processes as JSON and computes digests of them. Changes of
//! this JSON are therefore changes of a format.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::language::input::Input;
use crate::language::waiver::Waiver;
use crate::matcher::Matcher;
use crate::matcher::tree::Tree;
use crate::phase::Phase;
use crate::resource_type::ResourceRef;

/// A rule with one or more expectations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// ID, unique within an image.
    pub id: String,
    /// Title, one line.
    pub title: String,
    /// Description, several lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// Severity of a failure, from 0.0 to 1.0.
    pub impact: f64,
    /// Labels, such as the numbers of the control in standards.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Tree>,
    /// Links to further documentation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
    /// Phases in which the control is judged; never empty.
    pub phases: BTreeSet<Phase>,
    /// Seconds within which the control must pass. It is judged again until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<u32>,
    /// Condition for judging the control, in the syntax of [`crate::language::grammar`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Reason for a manual review; the control is then not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<String>,
    /// Loop variables with their values; the control is judged for each combination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_each: Vec<(String, Tree)>,
    /// Inputs that the control uses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    /// Expectations of the control.
    pub body: Group,
    /// Reason for which a profile or an image disabled the control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
    /// Waiver for a failure; not part of the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
    /// Location of the definition in its file; not part of the digest.
    #[serde(default, rename = "origin")]
    pub defined_at: SourceLocation,
}

/// Place in a file that defines a control.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceLocation {
    /// Name of the profile in reports.
    pub name: String,
    /// File, relative to the root of the repository.
    pub file: String,
    /// Line, 1-based.
    pub line: usize,
    /// Column, 1-based.
    pub column: usize,
    /// YAML text of the control.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
}

/// Expectations that are judged together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Rule for how many items must pass.
    pub mode: Mode,
    /// Members of the group.
    pub items: Vec<Item>,
}

/// Rule for how many items of a group must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All members; each has its own finding.
    All,
    /// At least one member; the group has one finding.
    Any,
    /// No member; the group has one finding.
    None,
}

/// Member of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Expectation of one resource.
    Expect(Expectation),
    /// Nested group.
    Group(Group),
}

/// Expected properties of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Resource to observe; can contain placeholders such as `${name}`.
    pub target: ResourceRef,
    /// Expected values by property; never empty.
    pub expect: BTreeMap<String, Expected>,
    /// Outcome if the resource does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_absent: Option<IfAbsent>,
}

/// Expected value of one property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Matcher without placeholders.
    Fixed(Matcher),
    /// Matcher as written, with placeholders for inputs or loop variables.
    Open(Tree),
}

/// Outcome of an expectation if the resource does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IfAbsent {
    /// Failed (default).
    Fail,
    /// Skipped.
    Skip,
    /// Passed.
    Pass,
}

impl Control {
    /// Returns all expectations in order.
    pub(crate) fn expectations(&self) -> Vec<&Expectation> {
        self.body.expectations()
    }
}

impl Group {
    /// Returns all expectations of the group and its nested groups, in order.
    pub(crate) fn expectations(&self) -> Vec<&Expectation> {
        fn each(item: &Item) -> Vec<&Expectation> {
            match item {
                Item::Expect(expectation) => vec![expectation],
                Item::Group(group) => group.expectations(),
            }
        }
        self.items.iter().flat_map(each).collect()
    }
}
