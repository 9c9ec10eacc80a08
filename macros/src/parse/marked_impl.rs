//! An impl with an attribute above it: the impl as it stands, and its marked methods.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt, quote};
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Generics, ImplItem, Meta, Path, Result, Signature, Token, Type, Visibility,
    WhereClause, braced, token,
};

use crate::errors::Errors;
use crate::model::marked_impl::{Carried, Refused};
use crate::model::method::Mark;
use crate::model::{CratePath, MarkedImpl};
use crate::parse::method;

/// The arguments of an attribute and the impl under it.
pub(crate) struct Input {
    pub(crate) arguments: TokenStream,
    pub(crate) block: Block,
}

/// An impl whose methods' bodies are left as tokens: the macro has no business in there, a body that is half typed
/// keeps an editor's help, and compiling is faster.
pub(crate) struct Block {
    attributes: Vec<Attribute>,
    impl_token: Token![impl],
    generics: Generics,
    trait_: Option<(Path, Token![for])>,
    self_ty: Type,
    brace: token::Brace,
    inner_attributes: Vec<Attribute>,
    entries: Vec<Entry>,
}

/// What stands in the impl.
enum Entry {
    Method(Box<UserMethod>),
    Other(Box<ImplItem>),
}

/// A method as the user wrote it.
pub(crate) struct UserMethod {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenTree,
}

/// Takes the marks of `known` off the methods of an impl, and reads what they stand on.
pub(crate) fn parse(
    block: Block,
    known: &[Mark],
    crate_path: &CratePath,
    errors: &Errors,
) -> MarkedImpl {
    parse_with(block, |written| method::parse(written, known, crate_path, errors))
}

/// Reads the methods of an impl; `read` takes the marks off those that have any.
pub(crate) fn parse_with<M>(
    mut block: Block,
    mut read: impl FnMut(&mut UserMethod) -> Option<M>,
) -> MarkedImpl<M> {
    let methods: Vec<M> = block
        .entries
        .iter_mut()
        .filter_map(|entry| match entry {
            Entry::Method(written) => read(written),
            Entry::Other(_) => None,
        })
        .collect();
    let carried = carried(&block.attributes);
    let refused = match &block.trait_ {
        Some((path, _)) => Some(Refused::Trait(path.to_token_stream())),
        None if block.generics.params.is_empty() => None,
        None => Some(Refused::Generic(block.generics.to_token_stream())),
    };
    let user_impl = block.to_token_stream();
    MarkedImpl { user_impl, self_ty: block.self_ty, refused, carried, methods }
}

/// Sorts out the attributes that generated impls need as well.
pub(crate) fn carried(attributes: &[Attribute]) -> Carried {
    let mut carried = Carried::default();
    for attribute in attributes {
        if attribute.path().is_ident("cfg") {
            attribute.to_tokens(&mut carried.cfgs);
        } else if (attribute.path().is_ident("allow") || attribute.path().is_ident("expect"))
            && let Meta::List(list) = &attribute.meta
        {
            let lints = &list.tokens;
            carried.allows.extend(quote!(#[allow(#lints)]));
        }
    }
    carried
}

impl Block {
    /// Reads an impl; `elsewhere` says what the attribute belongs on, if it stands on something else.
    pub(crate) fn parse(input: ParseStream<'_>, elsewhere: &str) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        if !input.peek(Token![impl]) {
            return Err(input.error(elsewhere));
        }
        let impl_token = input.parse()?;
        let mut generics: Generics = input.parse()?;
        let first: Type = input.parse()?;
        let (trait_, self_ty) = match (input.parse::<Option<Token![for]>>()?, first) {
            (None, self_ty) => (None, self_ty),
            (Some(for_token), Type::Path(path)) => (Some((path.path, for_token)), input.parse()?),
            (Some(for_token), _) => {
                return Err(syn::Error::new(for_token.span, "expected the path of a trait"));
            }
        };
        generics.where_clause = input.parse::<Option<WhereClause>>()?;
        let content;
        let brace = braced!(content in input);
        let inner_attributes = content.call(Attribute::parse_inner)?;
        let mut entries = Vec::new();
        while !content.is_empty() {
            entries.push(content.parse()?);
        }
        let block = Self {
            attributes,
            impl_token,
            generics,
            trait_,
            self_ty,
            brace,
            inner_attributes,
            entries,
        };
        Ok(block)
    }

    /// Its methods, marked or not.
    pub(crate) fn methods(&mut self) -> impl Iterator<Item = &mut UserMethod> {
        self.entries.iter_mut().filter_map(|entry| match entry {
            Entry::Method(written) => Some(&mut **written),
            Entry::Other(_) => None,
        })
    }
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let ahead = input.fork();
        let is_method = ahead.call(Attribute::parse_outer).is_ok()
            && ahead.parse::<Visibility>().is_ok()
            && ahead.parse::<Signature>().is_ok()
            && ahead.peek(token::Brace);
        if !is_method {
            return Ok(Self::Other(input.parse()?));
        }
        Ok(Self::Method(Box::new(UserMethod {
            attributes: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        })))
    }
}

impl ToTokens for Block {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        self.impl_token.to_tokens(tokens);
        self.generics.to_tokens(tokens);
        if let Some((path, for_token)) = &self.trait_ {
            path.to_tokens(tokens);
            for_token.to_tokens(tokens);
        }
        self.self_ty.to_tokens(tokens);
        self.generics.where_clause.to_tokens(tokens);
        self.brace.surround(tokens, |tokens| {
            tokens.append_all(&self.inner_attributes);
            for entry in &self.entries {
                match entry {
                    Entry::Method(method) => method.to_tokens(tokens),
                    Entry::Other(item) => item.to_tokens(tokens),
                }
            }
        });
    }
}

impl ToTokens for UserMethod {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attributes);
        self.vis.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
