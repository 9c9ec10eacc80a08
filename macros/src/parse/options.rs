//! Helper attributes: one table of options for each, from which all that is said about them comes.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, Meta, Result, Token, Type};

use crate::edit_distance::nearest;
use crate::errors::Errors;
use crate::parse::value::Value;

/// The options of one helper attribute.
pub(crate) struct Table<M: 'static> {
    /// The attribute's word, `event` in `#[event(…)]`.
    pub(crate) attribute: &'static str,
    pub(crate) options: &'static [Spec<M>],
}

/// One option: where it belongs, what it takes, and how it gets into the model `M`.
pub(crate) struct Spec<M> {
    name: &'static str,
    place: Place,
    times: Times,
    /// What it takes, with an example: "a whole number, as in `version = 3`".
    takes: &'static str,
    read: fn(&mut M, &Value<'_>) -> Result<()>,
}

/// What was given, but refused, so that nobody misses it again.
#[derive(Default)]
pub(crate) struct Refused {
    options: Vec<&'static str>,
    /// Whether there was a word that could stand for any option.
    unknown: bool,
}

impl Refused {
    /// Whether an option was given all the same.
    pub(crate) fn is(&self, option: &str) -> bool {
        self.options.contains(&option)
    }

    /// Whether an option may have been given all the same.
    pub(crate) fn may_be(&self, option: &str) -> bool {
        self.unknown || self.options.contains(&option)
    }

    /// Adds what was refused elsewhere.
    pub(crate) fn and(&mut self, other: Self) {
        self.options.extend(other.options);
        self.unknown |= other.unknown;
    }
}

/// Where an option belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Item,
    /// Above the item, of an attribute for enums only.
    Enum,
    Field,
    /// On a variant of an enum, or on a field of one.
    Variant,
    /// In an attribute that has one place only.
    Here,
}

/// How often an option may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    Many,
}

impl<M> Spec<M> {
    /// An option that is given at most once.
    pub(crate) const fn once(
        name: &'static str,
        place: Place,
        takes: &'static str,
        read: fn(&mut M, &Value<'_>) -> Result<()>,
    ) -> Self {
        Self { name, place, times: Times::Once, takes, read }
    }

    /// An option that may be given again and again.
    pub(crate) const fn many(
        name: &'static str,
        place: Place,
        takes: &'static str,
        read: fn(&mut M, &Value<'_>) -> Result<()>,
    ) -> Self {
        Self { name, place, times: Times::Many, takes, read }
    }
}

impl<M> Table<M> {
    /// Reads all `#[attribute(…)]` among `attributes`, which stand at `place`, into `model`.
    ///
    /// Returns the options that were given, but refused: nobody should miss them again.
    pub(crate) fn read(
        &self,
        place: Place,
        attributes: &[Attribute],
        model: &mut M,
        errors: &Errors,
    ) -> Refused {
        let mut reader = Reader::new(self, place, model, errors);
        for attribute in attributes.iter().filter(|found| found.path().is_ident(self.attribute)) {
            match &attribute.meta {
                Meta::List(list) => reader.read_tokens(list.tokens.clone()),
                // #[event]   #[event = "MoneyDeposited"]
                Meta::Path(_) | Meta::NameValue(_) => errors.on(
                    attribute.meta.path(),
                    format_args!(
                        "`{}` wants its options in parentheses {}",
                        self.attribute,
                        self.list(place)
                    ),
                ),
            }
        }
        reader.refused
    }

    /// Reads options that stand alone, as the arguments of an attribute macro or of another option do.
    pub(crate) fn read_tokens(
        &self,
        tokens: TokenStream,
        model: &mut M,
        errors: &Errors,
    ) -> Refused {
        let mut reader = Reader::new(self, Place::Here, model, errors);
        reader.read_tokens(tokens);
        reader.refused
    }

    /// "(options: name, version, alias)"
    fn list(&self, place: Place) -> String {
        let names: Vec<&str> = self
            .options
            .iter()
            .filter(|option| option.place == place)
            .map(|option| option.name)
            .collect();
        if names.is_empty() {
            "(options: none here)".to_owned()
        } else {
            format!("(options: {})", names.join(", "))
        }
    }

    fn find(&self, name: &str, place: Place) -> Option<&'static Spec<M>> {
        self.options.iter().find(|option| option.name == name && option.place == place)
    }
}

/// Reads options one after the other; a mistake in one does not keep the next from being read.
struct Reader<'a, M: 'static> {
    table: &'a Table<M>,
    place: Place,
    seen: Vec<&'static str>,
    refused: Refused,
    model: &'a mut M,
    errors: &'a Errors,
}

impl<'a, M> Reader<'a, M> {
    fn new(table: &'a Table<M>, place: Place, model: &'a mut M, errors: &'a Errors) -> Self {
        Self { table, place, seen: Vec::new(), refused: Refused::default(), model, errors }
    }

    fn read_tokens(&mut self, tokens: TokenStream) {
        let read_all = |input: ParseStream<'_>| {
            while !input.is_empty() {
                self.read_option(input);
            }
            Ok(())
        };
        if let Err(error) = read_all.parse2(tokens) {
            self.errors.push(error);
        }
    }

    fn read_option(&mut self, input: ParseStream<'_>) {
        let sound = if let Ok(name) = input.call(Ident::parse_any) {
            self.read_named(&name, input)
        } else {
            // #[event("MoneyDeposited")]
            let message = format!("expected an option {}", self.table.list(self.place));
            self.errors.at(input.span(), message);
            false
        };
        if !sound {
            skip_value(input);
        } else if !input.is_empty() && !input.peek(Token![,]) {
            // #[event(version = 3 alias = "Deposited")]
            self.errors.at(input.span(), "expected a comma between options");
            if !input.peek(Ident::peek_any) {
                skip_value(input);
            }
        }
        // Cannot fail: peeked.
        let _ = input.peek(Token![,]).then(|| input.parse::<Token![,]>());
    }

    /// Reads what follows the name of an option; `false` if it was refused.
    fn read_named(&mut self, name: &Ident, input: ParseStream<'_>) -> bool {
        let word = name.unraw().to_string();
        let found = self.table.find(&word, self.place);
        // What was meant is read all the same: it would only be missed otherwise.
        let Some(option) = found.or_else(|| self.refuse_unknown(name, &word)) else {
            return false;
        };
        if option.times == Times::Once && self.seen.contains(&option.name) {
            // #[event(version = 2, version = 3)]
            self.errors.on(name, format_args!("`{word}` is given twice; leave one out"));
            self.refused.options.push(option.name);
            return false;
        }
        self.seen.push(option.name);
        let missing = input.is_empty() || input.peek(Token![,]);
        let value = Value { input, name, errors: self.errors };
        if let Err(error) = (option.read)(self.model, &value) {
            // #[event(version = "three")]
            let span = if missing { name.span() } else { error.span() };
            self.errors.at(span, format_args!("`{}` takes {}", option.name, option.takes));
            self.refused.options.push(option.name);
            return false;
        }
        true
    }

    /// Says what is wrong with a name that is no option here, and returns the option that was meant.
    fn refuse_unknown(&mut self, name: &Ident, word: &str) -> Option<&'static Spec<M>> {
        let elsewhere = self.table.options.iter().find(|option| option.name == word);
        if let Some(option) = elsewhere {
            // #[event(since = 2)] struct …
            let owner = match (option.place, self.place) {
                (Place::Field, _) => "a field",
                (Place::Variant, _) => "a variant",
                // #[aggregate(category = "account")] Open, …
                (Place::Enum, _) | (_, Place::Variant) => "the enum",
                _ => "the struct",
            };
            let message = format_args!("`{word}` belongs on {owner}");
            self.errors.on(name, message);
            self.refused.options.push(option.name);
            return None;
        }
        // #[event(verison = 3)]
        let here = self.table.options.iter().filter(|option| option.place == self.place);
        let meant = nearest(word, here.map(|option| option.name));
        let hint = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        let list = self.table.list(self.place);
        self.errors.on(name, format_args!("unknown option `{word}`{hint} {list}"));
        self.refused.unknown |= meant.is_none();
        meant.and_then(|meant| self.table.find(meant, self.place))
    }
}

/// Goes on to the comma after a value that nobody wants, so that one mistake is one error.
fn skip_value(input: ParseStream<'_>) {
    // A type may hold commas that no bracket hides: `= Map<A, B>`.
    let ahead = input.fork();
    let is_type = ahead.parse::<Token![=]>().is_ok()
        && ahead.parse::<Type>().is_ok()
        && (ahead.is_empty() || ahead.peek(Token![,]));
    if is_type {
        let _ = input.parse::<Token![=]>();
        let _ = input.parse::<Type>();
    }
    while !input.is_empty() && !input.peek(Token![,]) {
        let _ = input.parse::<TokenTree>();
    }
}
