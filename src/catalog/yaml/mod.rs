//! Owns the way from a YAML text to a tree of nodes with places; nothing of the YAML library is visible outside.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{
    ErrorKind, Event, Parser, ScalarStyle, ScanError, Span as YamlSpan, StrInput, Tag,
};

use super::codes;
use super::control;
use super::node::{Key, Node, Scalar, Span, Value, resolve};
use super::source::{Sink, Source};

/// The largest YAML file that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The most nodes a file may have once its aliases are expanded.
const MAX_NODES: usize = 20_000;
/// The deepest nesting.
const MAX_DEPTH: usize = 24;

/// Parses one text; `None` when nothing useful came out of it, and then at least one error was reported.
pub(crate) fn parse(source: &Source<'_>, sink: &mut Sink) -> Option<Node> {
    if !control::plain_text(source, sink) {
        return None;
    }
    let options = serde_saphyr::granit_parser::options! {
        emit_comments: false,
        disallow_directives: true,
        strict_indentation: true,
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        source,
        sink,
        anchors: BTreeMap::new(),
        open: Vec::new(),
        root: None,
        nodes: 0,
    };
    let mut parser = Parser::new_from_str_with_options(source.text, options);
    let done = builder.run(&mut parser);
    let root = builder.root.take();
    match (done, root) {
        (Stop::End, Some(node))
            if matches!(
                node.value,
                Value::Scalar {
                    kind: Scalar::Null,
                    ..
                }
            ) =>
        {
            empty(source, sink)
        }
        (Stop::End, None) => empty(source, sink),
        (Stop::End, Some(node)) => {
            control::visible_values(source, &node, sink);
            Some(node)
        }
        (Stop::Error, _) => None,
    }
}

fn empty(source: &Source<'_>, sink: &mut Sink) -> Option<Node> {
    sink.error(codes::EMPTY, source.place(0..0), "the file is empty")
        .help("fill it in or remove it");
    None
}

#[derive(PartialEq)]
enum Stop {
    End,
    Error,
}

/// A collection whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        key: Waiting,
        first: BTreeMap<String, Span>,
    },
}

/// Whether a map's key has come and its value is awaited.
enum Waiting {
    No,
    For(Key),
    ForNothing,
}

struct Builder<'a, 'b> {
    source: &'a Source<'a>,
    sink: &'b mut Sink,
    anchors: BTreeMap<usize, Node>,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder<'_, '_> {
    fn run<'t>(&mut self, parser: &mut Parser<'t, StrInput<'t>>) -> Stop {
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(pair) => pair,
                Err(error) => return self.syntax(&error),
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
                        .help("put each image into a file of its own");
                        return Stop::Error;
                    }
                    Ok(())
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let forced = self.tag(tag.as_deref(), &span);
                    let kind = match style {
                        ScalarStyle::Plain if !forced => resolve(&text),
                        _ => Scalar::Text,
                    };
                    let node = Node::new(
                        range,
                        Value::Scalar {
                            text: text.into_owned(),
                            kind,
                        },
                    );
                    self.add(anchor, node)
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.tag(tag.as_deref(), &span);
                    self.begin(range.start, anchor, Items::List(Vec::new()))
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.tag(tag.as_deref(), &span);
                    let items = Items::Map {
                        entries: Vec::new(),
                        key: Waiting::No,
                        first: BTreeMap::new(),
                    };
                    self.begin(range.start, anchor, items)
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(range.end),
                Event::Alias(id) => self.alias(id, range),
                _ => Ok(()),
            };
            if step.is_err() {
                return Stop::Error;
            }
        }
        Stop::End
    }

    fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> super::source::Last<'_> {
        self.sink.error(code, self.source.place(span), message)
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let at = error.marker().byte_offset().unwrap_or(0);
        let kind = error.kind();
        let named = matches!(
            kind,
            ErrorKind::TabNotAllowed
                | ErrorKind::TabInBlockIndentation
                | ErrorKind::TabAtBlockScalarStart
                | ErrorKind::TabInIndentation
                | ErrorKind::TabInPlainScalar
        );
        let following = || self.source.text.get(at..)?.find('\t').map(|i| at + i);
        let tab = self
            .source
            .indent_tab(at)
            .or_else(|| named.then(following).flatten());
        if let Some(at) = tab.or(named.then_some(at)) {
            self.error(codes::TAB, at..at + 1, "a tab where YAML wants spaces")
                .help("indent with two spaces");
        } else if matches!(kind, ErrorKind::RecursionLimitExceeded) {
            self.error(
                codes::BUDGET,
                at..at,
                format!("nested deeper than {MAX_DEPTH} levels"),
            )
            .help("flatten it");
        } else if matches!(kind, ErrorKind::DirectiveDisallowed) {
            self.error(codes::FEATURE, at..at, "YAML directives are not used here")
                .help("remove the line");
        } else {
            self.error(codes::SYNTAX, at..at, format!("not YAML: {kind}"))
                .help("look at the indentation, the quotes and the colons just before this place");
        }
        Stop::Error
    }

    /// Reports a tag that means nothing here; says whether it makes the scalar text.
    fn tag(&mut self, tag: Option<&Tag>, span: &YamlSpan) -> bool {
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
            format!("the tag `{}` has no meaning here", tag.original()),
        )
        .help("remove it; quote the value if it must be text");
        false
    }

    fn begin(&mut self, start: usize, anchor: usize, items: Items) -> Result<(), ()> {
        self.open.push(Open {
            start,
            anchor,
            items,
        });
        self.budget(1, self.open.len(), start..start)
    }

    fn end(&mut self, end: usize) -> Result<(), ()> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let last = match &open.items {
            Items::List(items) => items.last().map(|n| n.span.end),
            Items::Map { entries, .. } => entries.last().map(|(k, n)| n.span.end.max(k.span.end)),
        };
        // A block collection's end event lies where the next thing begins; its last child says where it ended.
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
        self.add(
            open.anchor,
            Node::new(open.start..stop.max(open.start), value),
        )
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), ()> {
        let Some(target) = self.anchors.get(&id) else {
            self.error(codes::BUDGET, span, "an alias inside what it refers to")
                .help("write the value out");
            return Err(());
        };
        let (size, depth) = (target.size, target.depth);
        self.budget(size - 1, self.open.len() + depth, span)?;
        let copy = self.anchors[&id].clone();
        self.add(0, copy)
    }

    fn budget(&mut self, more: usize, depth: usize, span: Span) -> Result<(), ()> {
        self.nodes = self.nodes.saturating_add(more);
        if depth > MAX_DEPTH {
            self.error(
                codes::BUDGET,
                span,
                format!("nested deeper than {MAX_DEPTH} levels"),
            )
            .help("flatten it");
            return Err(());
        }
        if self.nodes > MAX_NODES {
            self.error(
                codes::BUDGET,
                span,
                format!("the file has more than {MAX_NODES} values"),
            )
            .help("write aliases out, or split the file");
            return Err(());
        }
        Ok(())
    }

    fn add(&mut self, anchor: usize, node: Node) -> Result<(), ()> {
        self.budget(1, self.open.len(), node.span.clone())?;
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
                key: key @ Waiting::No,
                ..
            } => *key = self.key(node),
            Items::Map {
                entries,
                key,
                first,
            } => {
                if let Waiting::For(key) = std::mem::replace(key, Waiting::No) {
                    self.entry(key, node, entries, first);
                }
            }
        }
        self.open.push(open);
        Ok(())
    }

    fn key(&mut self, node: Node) -> Waiting {
        match node.value {
            Value::Scalar { text, kind } if kind != Scalar::Text || text != "<<" => {
                Waiting::For(Key {
                    text,
                    span: node.span,
                })
            }
            Value::Scalar { .. } => {
                self.error(codes::FEATURE, node.span, "merge keys are not used here")
                    .help("write the keys out");
                Waiting::ForNothing
            }
            _ => {
                let start = node.span.start;
                self.error(codes::FEATURE, start..start, "a key must be text")
                    .help("give the value a plain name");
                Waiting::ForNothing
            }
        }
    }

    fn entry(
        &mut self,
        key: Key,
        node: Node,
        entries: &mut Vec<(Key, Node)>,
        first: &mut BTreeMap<String, Span>,
    ) {
        if let Some(earlier) = first.get(&key.text) {
            let earlier = self.source.place(earlier.clone());
            self.error(
                codes::DUPLICATE_KEY,
                key.span,
                format!("the key `{}` is given twice", key.text),
            )
            .help("keep one of them")
            .related(earlier, "first given here");
        } else {
            first.insert(key.text.clone(), key.span.clone());
            entries.push((key, node));
        }
    }
}

fn byte_range(span: &YamlSpan) -> Span {
    span.byte_range().unwrap_or(0..0)
}

#[cfg(test)]
mod tests;
