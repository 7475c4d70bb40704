"""What a source says, and the verdict that follows from the claims that bear on it."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from stdpjax import _checks
from stdpjax._docs import documented

StatementVerdict = Literal["holds", "holds_with_conditions", "corrected", "open"]


@documented
@dataclasses.dataclass(frozen=True)
class Statement:
    """Something that a source says, no stronger and no weaker, and the answer that its claims give.

    No verdict is written down: it follows from the claims, see `verdict_of`.

    Example:
        >>> from stdpjax.lab import Statement
        >>> eq17 = Statement(
        ...     "eq17", "Section 4.2", "The energy gives this update.", "It subtracts the leak twice.", ("eq17.half",))
        >>> eq17.id
        'eq17'
    """

    id: str
    """Unique; claims name it. An address: "eq17", "sec7.determinant"."""
    where: str
    """Section and paragraph, equation or figure."""
    says: str
    """What the source says, in a sentence of our own."""
    answer: str
    """What was found, in one sentence."""
    claims: tuple[str, ...]
    """Ids of the claims that decide it; the number of the first is shown beside it."""
    formula: str = ""
    """As printed, if there is one."""

    def __post_init__(self) -> None:
        """Refuse what is no statement."""
        for name in ("id", "where", "says", "answer", "formula"):
            _checks.text(name, getattr(self, name), may_be_empty=name == "formula")
        are_ids = isinstance(self.claims, tuple) and all(isinstance(one, str) for one in self.claims)
        if not (are_ids and self.claims):
            raise ValueError(f"claims: expected a tuple of ids, at least one, got {self.claims!r:.80}")
        _checks.distinct("claims", self.claims)


def verdict_of(statement: Statement, records: Mapping[str, Mapping[str, Any]]) -> StatementVerdict:
    """Return what a run's records, by the ids of their claims, say of a statement.

    All of its claims have to be met. Then it is "corrected" if one of them refutes it, it "holds_with_conditions" if
    one limits it, and else it "holds". A claim that is not met, decides nothing or is not there leaves it "open".

    Args:
        statement: what is judged.
        records: of a ledger, by id; those of other claims do not matter.

    Raises:
        ValueError: no statement, or no mapping.

    Example:
        >>> from stdpjax.lab import Statement, verdict_of
        >>> statement = Statement("eq1", "Section 2.1", "It says so.", "So it is.", ("eq1.one", "eq1.two"))
        >>> one = {"verdict": "met", "bearing": "supports"}
        >>> verdict_of(statement, {"eq1.one": one, "eq1.two": {"verdict": "met", "bearing": "limits"}})
        'holds_with_conditions'
        >>> verdict_of(statement, {"eq1.one": one})
        'open'
    """
    _checks.instance("statement", statement, Statement, "a Statement")
    _checks.instance("records", records, Mapping, "records by the ids of their claims")
    found = [records.get(claim, {}) for claim in statement.claims]
    if any(record.get("verdict") != "met" for record in found):
        return "open"
    bearings = {record["bearing"] for record in found}
    if "refutes" in bearings:
        return "corrected"
    return "holds_with_conditions" if "limits" in bearings else "holds"


def judged(statements: Iterable[Statement], records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return as plain data each statement whose claims were all run, with its verdict and its deciding number.

    The others are left out, where `verdict_of` would call them open.
    """
    by_id = {record["id"]: record for record in records}
    return [
        {
            **dataclasses.asdict(one),
            "claims": list(one.claims),
            "verdict": verdict_of(one, by_id),
            "number": by_id[one.claims[0]]["measured"],
        }
        for one in statements
        if by_id.keys() >= {*one.claims}
    ]


def counts(judgements: Iterable[Mapping[str, Any]]) -> str:
    """Return in words how many statements came out how.

    Example:
        >>> from stdpjax.lab.statement import counts
        >>> counts([{"verdict": "holds"}, {"verdict": "corrected"}, {"verdict": "holds"}])
        'of 3 statements 2 hold, 0 hold with conditions, 1 corrected, 0 open'
    """
    verdicts = [one["verdict"] for one in judgements]
    parts = (f"{verdicts.count(each)} {each.replace('holds', 'hold')}" for each in get_args(StatementVerdict))
    return f"of {len(verdicts)} statements {', '.join(parts)}".replace("_", " ")
