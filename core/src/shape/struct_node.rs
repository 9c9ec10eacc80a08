//! What is known of structs, and of enums that are stored as an object with a tag.

use super::deserializer::Error;
use super::node::{Kind, Node, Place};
use super::{Field, Shape};

/// The fields of a struct.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) list: Vec<FieldNode>,
    /// Whether there may be fields that cannot be seen.
    flattened: bool,
    /// Whether they stand beside a tag, so that another tag would be one too many.
    beside_tag: bool,
    /// Whether this pass finds out what it reads without.
    probing: bool,
    /// The field that was given last in this pass.
    pub(super) given_last: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) struct FieldNode {
    pub(super) name: &'static str,
    pub(super) node: Node,
    pub(super) presence: Presence,
    /// Whether it has aliases, which are told apart by being given after it.
    before_aliases: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Unknown,
    Required,
    Optional,
    /// It is another name of this field.
    AliasOf(&'static str),
}

impl FieldNode {
    fn new(name: &'static str, presence: Presence) -> Self {
        Self { name, node: Node::default(), presence, before_aliases: false }
    }

    fn is_alias(&self) -> bool {
        matches!(self.presence, Presence::AliasOf(_))
    }
}

impl Fields {
    pub(super) fn new(names: &[&'static str]) -> Self {
        let list = names.iter().map(|name| FieldNode::new(name, Presence::Unknown)).collect();
        Self { list, flattened: false, beside_tag: false, probing: false, given_last: None }
    }

    /// Those of a struct with flattened fields, of which one is known.
    pub(super) fn flattened(name: &'static str) -> Self {
        let list = vec![FieldNode::new(name, Presence::Required)];
        Self { list, flattened: true, beside_tag: false, probing: false, given_last: None }
    }

    /// The fields that are given in this pass, by their place in the list: all, until all are known; then those without
    /// which it does not read, until it reads; then by turns.
    pub(super) fn plan(&mut self, attempt: usize) -> Vec<usize> {
        let known = self.list.iter().all(|field| field.node.done);
        self.probing = known && self.list.iter().any(|field| field.presence == Presence::Unknown);
        let is_given = |field: &FieldNode| match field.presence {
            Presence::AliasOf(_) => false,
            _ if field.node.refused.is_some() => false,
            Presence::Required => true,
            _ if !known => true,
            Presence::Unknown => false,
            Presence::Optional => !self.probing && attempt % 4 != 2,
        };
        let given = self.list.iter().enumerate().filter(|(_, field)| is_given(field));
        let mut plan: Vec<usize> = given.map(|(index, _)| index).collect();
        // Last what may fail: what comes after it would not be seen.
        plan.sort_by_key(|index| {
            let field = &self.list[*index];
            (!field.before_aliases, !field.node.done)
        });
        plan
    }

    /// Notes that the struct read what it was given.
    pub(super) fn accept(&mut self) -> bool {
        self.probing && self.settle_unknown(Presence::Optional)
    }

    /// Learns from an error of the struct itself.
    pub(super) fn learn(&mut self, error: &Error, attempt: usize) -> bool {
        match *error {
            Error::Missing(name) => {
                match self.list.iter_mut().find(|field| field.name == name) {
                    Some(field) if field.presence == Presence::Unknown => {
                        field.presence = Presence::Required;
                        true
                    }
                    // It cannot be given; whether those after it have to be there, cannot be seen.
                    Some(_) => self.probing && self.settle_unknown(Presence::Required),
                    None => {
                        self.fix_values(attempt);
                        self.list.push(FieldNode::new(name, Presence::Required));
                        true
                    }
                }
            }
            Error::Duplicate(name) => self.learn_alias(name),
            Error::UnknownVariant(_) if self.refuse_tag() => true,
            _ => self.probing && self.settle_unknown(Presence::Required),
        }
    }

    /// One of two names of a field was given second; the error has the field's own name.
    fn learn_alias(&mut self, name: &'static str) -> bool {
        let Some(last) = self.given_last else { return false };
        let Some(index) = self.list.iter().position(|field| field.name == last) else {
            return false;
        };
        if last != name {
            let field = &mut self.list[index];
            field.presence = Presence::AliasOf(name);
            field.node.done = true;
            return true;
        }
        // Given first, it lets the alias be the one that is refused.
        let field = &mut self.list[index];
        !std::mem::replace(&mut field.before_aliases, true)
    }

    /// The field that was missed last, if it names a variant of an enum: the last one is tried, and the others are known.
    fn last_as_tag(&mut self) -> Option<&mut FieldNode> {
        let is_tried = |node: &Node| matches!(node.kind, Kind::Any) && !node.fixed;
        self.list.last_mut().filter(|last| self.flattened && is_tried(&last.node))
    }

    /// A second tag is given up: what stands beside it is another for each variant, and one of them would not speak for
    /// the rest.
    fn refuse_tag(&mut self) -> bool {
        let why = "it names a variant, and the fields of each cannot be seen";
        self.last_as_tag().is_some_and(|tag| tag.node.refused.replace(why.to_owned()).is_none())
    }

    /// The enum that they are, if the field that was missed last names a variant of one that is flattened: the others stand
    /// beside the tag, in each variant.
    pub(super) fn as_flattened_enum(&mut self, names: &[&'static str]) -> Option<Tagged> {
        if self.beside_tag || names.is_empty() {
            return None;
        }
        let tag = self.last_as_tag()?.name;
        let others = &self.list[..self.list.len() - 1];
        let beside = || Self {
            list: others.to_vec(),
            flattened: true,
            beside_tag: true,
            probing: false,
            given_last: None,
        };
        Some(Tagged::new(tag, None, named(names, beside)))
    }

    /// Fields of any kind are told apart one by one: when the next is missed, those before it are accepted.
    fn fix_values(&mut self, attempt: usize) {
        for field in &mut self.list {
            if matches!(field.node.kind, Kind::Any) && !field.node.fixed {
                field.node.fixed = true;
                field.node.attempt = attempt;
            }
        }
    }

    fn settle_unknown(&mut self, presence: Presence) -> bool {
        let unknown = self.list.iter_mut().filter(|field| field.presence == Presence::Unknown);
        unknown.map(|field| field.presence = presence).count() > 0
    }

    pub(super) fn are_finished(&self) -> bool {
        self.list.iter().all(|field| field.node.done && field.presence != Presence::Unknown)
    }

    /// The enum that they are, if the first is the name of a variant of the enum `name`, and the second its content.
    pub(super) fn as_enum(&self, name: &str) -> Option<Tagged> {
        let [tag, content] = &self.list[..] else { return None };
        let Kind::Enum(enum_name, variants) = &tag.node.kind else { return None };
        let names: Vec<_> = variants.iter().map(|(variant, _)| *variant).collect();
        let names = names.strip_suffix(&[ANY_OTHER]).unwrap_or(&names);
        let variants = named(names, || Self::new(&[content.name]));
        (*enum_name == name).then(|| Tagged::new(tag.name, Some(content.name), variants))
    }

    /// The enum that they are, if the only one is the name of a variant.
    pub(super) fn as_tag(&self) -> Option<Tagged> {
        let [tag] = &self.list[..] else { return None };
        let Kind::Name(names @ [_, ..]) = tag.node.kind else { return None };
        let beside = || Self { flattened: true, beside_tag: true, ..Self::new(&[]) };
        Some(Tagged::new(tag.name, None, named(names, beside)))
    }

    pub(super) fn shape(&self) -> Shape {
        let fields = self.list.iter().filter(|field| !field.is_alias()).map(|field| {
            let aliases = self.aliases_of(field.name).map(|alias| alias.name.to_owned());
            let shape = Field {
                shape: field.node.shape(),
                optional: field.presence == Presence::Optional,
                aliases: aliases.collect(),
            };
            (field.name.to_owned(), shape)
        });
        let fields = fields.collect();
        if self.flattened { Shape::Flattened(fields) } else { Shape::Struct(fields) }
    }

    /// The other names of a field.
    pub(super) fn aliases_of(&self, name: &'static str) -> impl Iterator<Item = &FieldNode> {
        self.list.iter().filter(move |other| other.presence == Presence::AliasOf(name))
    }

    /// How many other names a field has at most.
    pub(super) fn most_aliases(&self) -> usize {
        self.list.iter().map(|field| self.aliases_of(field.name).count()).max().unwrap_or(0)
    }

    pub(super) fn inside(&self) -> impl Iterator<Item = (&'static str, &Node)> {
        let fields = self.list.iter().filter(|field| !field.is_alias());
        fields.map(|field| (field.name, &field.node))
    }
}

/// The variant that stands for any other name; it is there while nobody has refused it.
pub(super) const ANY_OTHER: &str = "*";

/// Fields for each variant, and for any other name.
fn named(
    names: &[&'static str],
    fields: impl Fn() -> Fields,
) -> impl Iterator<Item = (&'static str, Fields)> {
    names.iter().copied().chain([ANY_OTHER]).map(move |name| (name, fields()))
}

/// An enum with `#[serde(tag = "…")]`, and perhaps `content = "…"`.
#[derive(Debug, Clone)]
pub(super) struct Tagged {
    pub(super) tag: &'static str,
    content: Option<&'static str>,
    /// Each is a struct: of the content, or of what stands beside the tag.
    pub(super) variants: Vec<(&'static str, Node)>,
    /// The variant that was given last.
    pub(super) present: usize,
}

impl Tagged {
    fn new(
        tag: &'static str,
        content: Option<&'static str>,
        variants: impl Iterator<Item = (&'static str, Fields)>,
    ) -> Self {
        let variants = variants.map(|(name, fields)| (name, Node::of(Kind::Struct(fields))));
        Self { tag, content, variants: variants.collect(), present: 0 }
    }

    pub(super) fn settle(
        &mut self,
        place: &Place<'_>,
        before: usize,
        error: Option<&Error>,
        failed_inside: bool,
    ) {
        let Some((name, variant)) = self.variants.get_mut(self.present) else { return };
        if *name == ANY_OTHER && !variant.done && error.is_some() {
            self.variants.remove(self.present);
            place.learn();
            return;
        }
        variant.failed_inside = failed_inside;
        if let (None, Kind::Struct(fields)) = (error, &mut variant.kind)
            && fields.accept()
        {
            place.learn();
        }
        variant.settle(place, before, error);
    }

    pub(super) fn is_finished(&self) -> bool {
        self.variants.iter().all(|(_, variant)| variant.done)
    }

    pub(super) fn shape(&self) -> Shape {
        let variants = self.variants.iter().map(|(name, variant)| {
            let shape = match (variant.shape(), self.content) {
                (Shape::Struct(mut fields), Some(content)) => match fields.remove(content) {
                    Some(Field { shape: Shape::Anything, optional: true, .. }) | None => {
                        Shape::Unit
                    }
                    Some(field) => field.shape,
                },
                (shape, _) => shape,
            };
            ((*name).to_owned(), shape)
        });
        Shape::Tagged {
            tag: self.tag.to_owned(),
            content: self.content.map(str::to_owned),
            variants: variants.collect(),
        }
    }
}

/// Chooses a variant: one that is not known, else by turns one that can be given, else the first.
pub(super) fn choose(variants: &[(&'static str, Node)], attempt: usize) -> usize {
    if let Some(unknown) = variants.iter().position(|(_, variant)| !variant.done) {
        return unknown;
    }
    let good: Vec<usize> = (0..variants.len()).filter(|at| variants[*at].1.is_good()).collect();
    if good.is_empty() { 0 } else { good[attempt % good.len()] }
}
