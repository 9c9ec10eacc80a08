//! `#[derive(Command)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse_quote;

use crate::expand::{assuming, impl_at, token_of};
use crate::model::Command;
use crate::model::item::Kind;

/// Expands to:
///
/// ```text
/// impl Command for Deposit { const NAME = "Deposit"; }
/// impl Targets<AccountId> for Deposit { fn target(&self) -> &AccountId { &self.account } }
/// impl HasId for Deposit {}
/// impl<P: ProcessManager> IntoCommands<P> for Deposit where Deposit: ListedIn<P> { … }
/// ```
pub(crate) fn expand(command: &Command) -> TokenStream {
    let item = &command.item;
    if item.kind == Kind::Union {
        return TokenStream::new();
    }
    let annals = &command.options.crate_path;
    let ident = &item.ident;
    let name = match &command.options.name {
        Some(name) => name.value(),
        None => ident.unraw().to_string(),
    };
    let generics = if item.can_expand() {
        item.generics.clone()
    } else {
        assuming(item, &quote!(#annals::CommandData))
    };
    let (impl_generics, of_type, bounds) = generics.split_for_impl();
    let targets = targets(command);
    let into_commands = into_commands(command);
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #annals::Command for #ident #of_type #bounds {
            const NAME: &'static ::core::primitive::str = #name;
        }

        #targets

        #into_commands
    }
}

/// Expands to the impl by which steps of processes return the command:
///
/// ```text
/// impl<P: ProcessManager> IntoCommands<P> for Deposit where Deposit: ListedIn<P> {
///     fn extend_into(self, commands: &mut Vec<P::Command>, _: &mut Vec<DeadlineMove>) { commands.push(self.wrap()); }
/// }
/// ```
fn into_commands(command: &Command) -> TokenStream {
    let annals = &command.options.crate_path;
    let ident = &command.item.ident;
    let (_, of_type, _) = command.item.generics.split_for_impl();
    let mut generics = command.item.generics.clone();
    // `__P`: the command itself may be called `P`.
    generics.params.push(parse_quote!(__P: #annals::ProcessManager));
    let sent = parse_quote!(#ident #of_type: #annals::ListedIn<__P>);
    generics.make_where_clause().predicates.push(sent);
    let (impl_generics, _, bounds) = generics.split_for_impl();
    // As if the user had written it: of what a derive writes, the compiler would advise against the bound.
    let span = ident.span();
    let annals_here = annals.at(span);
    let into_commands = impl_at(
        span,
        &quote_spanned!(span=> #impl_generics #annals_here::IntoCommands<__P> for #ident #of_type #bounds),
        quote! {
            fn extend_into(
                self,
                commands: &mut ::std::vec::Vec<<__P as #annals::ProcessManager>::Command>,
                _: &mut ::std::vec::Vec<#annals::DeadlineMove>,
            ) {
                commands.push(#annals::ListedIn::<__P>::wrap(self));
            }
        },
    );
    quote!(#[allow(deprecated)] #into_commands)
}

/// Expands to the impls that say which aggregate the command is for. Without an id, it is for any, so that its handler does
/// not report the mistake once more.
fn targets(command: &Command) -> TokenStream {
    let item = &command.item;
    let annals = &command.options.crate_path;
    let ident = &item.ident;
    let mut generics = item.generics.clone();
    let (_, of_type, _) = item.generics.split_for_impl();
    let Some(field) = command.ids.first().and_then(|id| item.fields.get(id.field)) else {
        generics.params.push(parse_quote!(__Id));
        let (impl_generics, _, bounds) = generics.split_for_impl();
        return quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl #impl_generics #annals::Targets<__Id> for #ident #of_type #bounds {
                fn target(&self) -> &__Id {
                    ::core::unreachable!()
                }
            }
        };
    };
    let (impl_generics, _, bounds) = generics.split_for_impl();
    let (member, ty) = (&field.member, &field.ty);
    let span = token_of(ty);
    let annals_here = annals.at(span);
    let targets = impl_at(
        span,
        &quote_spanned!(span=> #impl_generics #annals_here::Targets<#ty> for #ident #of_type #bounds),
        quote! {
            #[inline]
            fn target(&self) -> &#ty {
                &self.#member
            }
        },
    );
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        #targets

        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #annals::HasId for #ident #of_type #bounds {}
    }
}
