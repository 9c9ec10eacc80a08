use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners_of_accounts_that_were_opened_in_the_year_2026")]
struct Owner {
    #[read_model(key)]
    owner: String,
}

fn main() {}
