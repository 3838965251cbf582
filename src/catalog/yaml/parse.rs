//! Parses a YAML text into a tree of nodes. Types of the YAML library are private to this file.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{
    ErrorKind, Event, Parser, ScalarStyle, ScanError, Span as YamlSpan, StrInput, Tag,
};

use crate::catalog::codes;
use crate::catalog::yaml::control_characters;
use crate::catalog::yaml::node::{ByteRange, Key, Node, Scalar, Value, scalar_kind};
use crate::catalog::yaml::source::{Diagnostics, SourceFile};

/// Size of the largest YAML file in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Largest number of nodes of a file, with expanded aliases.
const MAX_NODES: usize = 20_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 24;

/// Parses a text. Returns `None` and reports at least one error if the tree is unusable.
pub(crate) fn parse(source: &SourceFile<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
    if !control_characters::report_control_characters(source, diagnostics) {
        return None;
    }
    let options = serde_saphyr::granit_parser::options! {
        emit_comments: false,
        disallow_directives: true,
        strict_indentation: true,
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
    };
    let mut builder = TreeBuilder {
        source,
        diagnostics,
        anchors: BTreeMap::new(),
        open: Vec::new(),
        root: None,
        nodes: 0,
    };
    let mut parser = Parser::new_from_str_with_options(source.text, options);
    let done = builder.run(&mut parser);
    let root = builder.root.take().filter(|node| !node.is_null());
    match (done, root) {
        (Outcome::End, None) => report_empty(source, diagnostics),
        (Outcome::End, Some(node)) => {
            control_characters::report_escaped_control_characters(source, &node, diagnostics);
            Some(node)
        }
        (Outcome::Error, _) => None,
    }
}

fn report_empty(source: &SourceFile<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
    diagnostics
        .error(codes::EMPTY, source.span(0..0), "the file is empty")
        .help("add content or remove the file");
    None
}

#[derive(PartialEq)]
enum Outcome {
    End,
    Error,
}

/// List or map whose end was not read yet.
struct OpenCollection {
    start: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        key: PendingKey,
        first: BTreeMap<String, ByteRange>,
    },
}

/// Key of a map whose value was not read yet.
enum PendingKey {
    None,
    Valid(Key),
    Invalid,
}

struct TreeBuilder<'a, 'b> {
    source: &'a SourceFile<'a>,
    diagnostics: &'b mut Diagnostics,
    anchors: BTreeMap<usize, Node>,
    open: Vec<OpenCollection>,
    root: Option<Node>,
    nodes: usize,
}

impl TreeBuilder<'_, '_> {
    fn run<'t>(&mut self, parser: &mut Parser<'t, StrInput<'t>>) -> Outcome {
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(pair) => pair,
                Err(error) => return self.report_syntax_error(&error),
            };
            let range = byte_range(&span);
            let step = match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents == 2 {
                        self.error(
                            codes::DOCUMENTS,
                            range.start..range.start + 3,
                            "a second document starts here",
                        )
                        .help("write one document in each file");
                        return Outcome::Error;
                    }
                    Ok(())
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let is_text = self.check_tag(tag.as_deref(), &span);
                    let kind = match style {
                        ScalarStyle::Plain if !is_text => scalar_kind(&text),
                        _ => Scalar::Text,
                    };
                    let node = Node::new(
                        range,
                        Value::Scalar {
                            text: text.into_owned(),
                            kind,
                        },
                    );
                    self.add_node(anchor, node)
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.check_tag(tag.as_deref(), &span);
                    self.open_collection(range.start, anchor, Items::List(Vec::new()))
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.check_tag(tag.as_deref(), &span);
                    let items = Items::Map {
                        entries: Vec::new(),
                        key: PendingKey::None,
                        first: BTreeMap::new(),
                    };
                    self.open_collection(range.start, anchor, items)
                }
                Event::SequenceEnd | Event::MappingEnd => self.close_collection(range.end),
                Event::Alias(id) => self.expand_alias(id, range),
                _ => Ok(()),
            };
            if step.is_err() {
                return Outcome::Error;
            }
        }
        Outcome::End
    }

    fn error(
        &mut self,
        code: &'static str,
        span: ByteRange,
        message: impl Into<String>,
    ) -> crate::catalog::yaml::source::DiagnosticBuilder<'_> {
        self.diagnostics
            .error(code, self.source.span(span), message)
    }

    fn report_syntax_error(&mut self, error: &ScanError) -> Outcome {
        let at = error.marker().byte_offset().unwrap_or(0);
        let kind = error.kind();
        let is_tab_error = matches!(
            kind,
            ErrorKind::TabNotAllowed
                | ErrorKind::TabInBlockIndentation
                | ErrorKind::TabAtBlockScalarStart
                | ErrorKind::TabInIndentation
                | ErrorKind::TabInPlainScalar
        );
        let next_tab = || self.source.text.get(at..)?.find('\t').map(|i| at + i);
        let tab = self
            .source
            .find_indent_tab(at)
            .or_else(|| is_tab_error.then(next_tab).flatten());
        if let Some(at) = tab.or(is_tab_error.then_some(at)) {
            self.error(
                codes::TAB,
                at..at + 1,
                "YAML requires spaces here, not a tab",
            )
            .help("indent with two spaces");
        } else if matches!(kind, ErrorKind::RecursionLimitExceeded) {
            self.error(
                codes::LIMIT,
                at..at,
                format!("nested deeper than {MAX_DEPTH} levels"),
            )
            .help("reduce the nesting");
        } else if matches!(kind, ErrorKind::DirectiveDisallowed) {
            self.error(codes::FEATURE, at..at, "YAML directives are not supported")
                .help("remove the line");
        } else {
            // In a flow collection, the braces of a variable begin a mapping.
            let is_variable = at > 0 && self.source.text.get(at - 1..=at) == Some("${");
            let help = match is_variable {
                true => "put text with `${NAME}` in quotes inside of `{}` and `[]`",
                false => "check the indentation, quotes, brackets and colons before this position",
            };
            self.error(codes::SYNTAX, at..at, format!("invalid YAML: {kind}"))
                .help(help);
        }
        Outcome::Error
    }

    /// Reports an unsupported tag. Returns true if the tag makes the scalar text.
    fn check_tag(&mut self, tag: Option<&Tag>, span: &YamlSpan) -> bool {
        let Some(tag) = tag else { return false };
        if tag.is_yaml_core_schema_tag("str") {
            return true;
        }
        let at = span
            .tag_span()
            .map_or_else(|| byte_range(span), |s| byte_range(&s));
        self.error(
            codes::FEATURE,
            at,
            format!("the tag `{}` is not supported", tag.original()),
        )
        .help("remove it; quote the value if it must be text");
        false
    }

    fn open_collection(&mut self, start: usize, anchor: usize, items: Items) -> Result<(), ()> {
        self.open.push(OpenCollection {
            start,
            anchor,
            items,
        });
        self.check_limits(1, self.open.len(), start..start)
    }

    fn close_collection(&mut self, end: usize) -> Result<(), ()> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let last = match &open.items {
            Items::List(items) => items.last().map(|n| n.span.end),
            Items::Map { entries, .. } => entries.last().map(|(k, n)| n.span.end.max(k.span.end)),
        };
        // The end event of a block collection is at the start of the next token, so its last child
        // marks its end.
        let flow = self
            .source
            .text
            .as_bytes()
            .get(open.start)
            .is_some_and(|b| matches!(b, b'[' | b'{'));
        let stop = if flow {
            end
        } else {
            last.unwrap_or(open.start)
        };
        let value = match open.items {
            Items::List(items) => Value::List(items),
            Items::Map { entries, .. } => Value::Map(entries),
        };
        self.nodes -= 1;
        self.add_node(
            open.anchor,
            Node::new(open.start..stop.max(open.start), value),
        )
    }

    fn expand_alias(&mut self, id: usize, span: ByteRange) -> Result<(), ()> {
        let Some(target) = self.anchors.get(&id) else {
            self.error(
                codes::LIMIT,
                span,
                "an alias refers to a value that contains it",
            )
            .help("write the value instead of the alias");
            return Err(());
        };
        let (size, depth) = (target.size, target.depth);
        self.check_limits(size - 1, self.open.len() + depth, span)?;
        let copy = self.anchors[&id].clone();
        self.add_node(0, copy)
    }

    fn check_limits(&mut self, more: usize, depth: usize, span: ByteRange) -> Result<(), ()> {
        self.nodes = self.nodes.saturating_add(more);
        if depth > MAX_DEPTH {
            self.error(
                codes::LIMIT,
                span,
                format!("nested deeper than {MAX_DEPTH} levels"),
            )
            .help("reduce the nesting");
            return Err(());
        }
        if self.nodes > MAX_NODES {
            self.error(
                codes::LIMIT,
                span,
                format!("the file has more than {MAX_NODES} values"),
            )
            .help("remove aliases, or split the file");
            return Err(());
        }
        Ok(())
    }

    fn add_node(&mut self, anchor: usize, node: Node) -> Result<(), ()> {
        self.check_limits(1, self.open.len(), node.span.clone())?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(mut open) = self.open.pop() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.items {
            Items::List(items) => items.push(node),
            Items::Map {
                key: key @ PendingKey::None,
                ..
            } => *key = self.parse_key(node),
            Items::Map {
                entries,
                key,
                first,
            } => {
                if let PendingKey::Valid(key) = std::mem::replace(key, PendingKey::None) {
                    self.add_entry(key, node, entries, first);
                }
            }
        }
        self.open.push(open);
        Ok(())
    }

    fn parse_key(&mut self, node: Node) -> PendingKey {
        match node.value {
            Value::Scalar { text, kind } if kind != Scalar::Text || text != "<<" => {
                PendingKey::Valid(Key {
                    text,
                    span: node.span,
                })
            }
            Value::Scalar { .. } => {
                self.error(codes::FEATURE, node.span, "merge keys are not supported")
                    .help("write the keys of the other map");
                PendingKey::Invalid
            }
            _ => {
                let start = node.span.start;
                self.error(codes::FEATURE, start..start, "a key must be text")
                    .help("use a name as the key");
                PendingKey::Invalid
            }
        }
    }

    fn add_entry(
        &mut self,
        key: Key,
        node: Node,
        entries: &mut Vec<(Key, Node)>,
        first: &mut BTreeMap<String, ByteRange>,
    ) {
        if let Some(earlier) = first.get(&key.text) {
            let earlier = self.source.span(earlier.clone());
            self.error(
                codes::DUPLICATE_KEY,
                key.span,
                format!("duplicate key `{}`", key.text),
            )
            .help("remove one of them")
            .add_related(earlier, "first defined here");
        } else {
            first.insert(key.text.clone(), key.span.clone());
            entries.push((key, node));
        }
    }
}

fn byte_range(span: &YamlSpan) -> ByteRange {
    span.byte_range().unwrap_or(0..0)
}
