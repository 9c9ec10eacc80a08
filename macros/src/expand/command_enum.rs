//! The enum of the commands that a process sends.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::expand::listed_enum::ListedEnum;
use crate::expand::token_of;
use crate::model::ProcessManager;
use crate::model::listing::variants;

/// Expands to:
///
/// ```text
/// pub enum FulfilmentCommand { ReserveStock(ReserveStock), … }
/// impl Clone for FulfilmentCommand { … }
/// impl Debug for FulfilmentCommand { … }
/// impl CommandEnum for FulfilmentCommand { … }
/// impl<C: SentBy<Fulfilment>> From<C> for FulfilmentCommand { … }
/// impl IntoCommands<Fulfilment> for FulfilmentCommand { … }
/// impl SentBy<Fulfilment> for ReserveStock { … }
/// ```
///
/// What these say of a command, they say through [`ListedEnum::stored`].
pub(crate) fn expand(process: &ProcessManager) -> TokenStream {
    let annals = &process.options.crate_path;
    let name = process.command_enum();
    let item = &process.item;
    let vis = &item.vis;
    let listed = variants(process.sent());
    if listed.is_empty() || !item.can_expand() {
        // Any command will do, so that one mistake stays one error.
        return quote!(#[allow(dead_code)] #vis type #name = #annals::AnyCommand;);
    }
    let commands = ListedEnum {
        annals,
        owner: &item.ident,
        vis,
        name: &name,
        noun: "command",
        listed_by: "ListedCommand",
        member: ("SentBy", "into_command"),
        listed: &listed,
    };
    let definition = commands.definition();
    let std_impls = commands.std_impls(|_, word| {
        quote_spanned! {Span::mixed_site()=> {
            // A command need not have `Debug`.
            #[allow(unused_imports)]
            use #annals::{ShownAll as _, ShownName as _};
            let shown = &&#annals::Shown(inside);
            shown.show(#word, f)
        }}
    });
    let command_enum = command_enum_impl(&commands);
    let conversions = conversions(&commands);
    let members = members(&commands);
    quote!(#definition #std_impls #command_enum #conversions #members)
}

/// Expands to:
///
/// ```text
/// impl CommandEnum for FulfilmentCommand {
///     const COMMANDS: &'static [SentCommand] = &[ReserveStock::SENT, …];
///     fn sent(&self) -> &'static SentCommand { match self { Self::ReserveStock(_) => &ReserveStock::SENT, … } }
///     fn content(&self) -> Result<Value, EncodeError> { match self { Self::ReserveStock(command) => command.write(), … } }
///     fn same_command(&self, other: &Self) -> Option<bool> { … }
/// }
/// ```
fn command_enum_impl(commands: &ListedEnum<'_>) -> TokenStream {
    let (annals, name) = (commands.annals, commands.name);
    let (variants, stored) = (commands.variants(), commands.stored());
    let same_command = commands.same();
    quote_spanned! {Span::mixed_site()=>
        #[automatically_derived]
        #[allow(deprecated)]
        impl #annals::CommandEnum for #name {
            const COMMANDS: &'static [#annals::SentCommand] = &[
                #(#stored::SENT,)*
            ];

            fn sent(&self) -> &'static #annals::SentCommand {
                match self {
                    #(Self::#variants(_) => &#stored::SENT,)*
                }
            }

            fn content(
                &self,
            ) -> ::core::result::Result<#annals::serde_json::Value, #annals::EncodeError> {
                match self {
                    #(Self::#variants(command) => {
                        #stored::write(command)
                    })*
                }
            }

            #same_command
        }
    }
}

/// Expands to:
///
/// ```text
/// impl<C: SentBy<Fulfilment>> From<C> for FulfilmentCommand { … }
/// impl IntoCommands<Fulfilment> for FulfilmentCommand { … }
/// ```
fn conversions(commands: &ListedEnum<'_>) -> TokenStream {
    let (annals, ident, name) = (commands.annals, commands.owner, commands.name);
    let owner = assumed(commands, ident.span());
    let from = commands.from(&quote!(where #owner));
    quote_spanned! {Span::mixed_site()=>
        #from

        #[automatically_derived]
        impl #annals::IntoCommands<#ident> for #name where #owner {
            fn extend_into(
                self,
                commands: &mut ::std::vec::Vec<#name>,
                _: &mut ::std::vec::Vec<#annals::DeadlineMove>,
            ) {
                commands.push(self);
            }
        }
    }
}

/// Expands to the impls that say which commands are the process's, and to the proof that their names differ:
///
/// ```text
/// impl SentBy<Fulfilment> for ReserveStock { … }
/// const _: () = assert_new_command(<FulfilmentCommand as CommandEnum>::COMMANDS, &["ReserveStock", "ReleaseStock"]);
/// ```
fn members(commands: &ListedEnum<'_>) -> TokenStream {
    commands.members(("CommandEnum", "COMMANDS"), "assert_new_command", |ty| {
        let span = token_of(ty);
        let annals = commands.annals.at(span);
        let owner = assumed(commands, span);
        // What is no command is reported where it is listed, once.
        quote_spanned!(span=> where for<'__a> #ty: #annals::Command, #owner)
    })
}

/// What the impls assume of the process: what it lacks is reported of its own impl only.
fn assumed(commands: &ListedEnum<'_>, span: Span) -> TokenStream {
    let (owner, name) = (commands.owner, commands.name);
    let annals = commands.annals.at(span);
    quote_spanned!(span=> for<'__a> #owner: #annals::ProcessManager<Command = #name>)
}
