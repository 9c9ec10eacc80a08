use annals::AggregateId;

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct AccountId;

fn main() {}
