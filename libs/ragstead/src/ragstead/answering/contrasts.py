"""Words whose exchange turns a question into one that the evidence does not answer.

Opposites, negations, quantities: "who opposed the treaty" shares every other word with "who signed the treaty", so
overlap and cosine both miss it. English only; elsewhere nothing is found and nothing is held against a question.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Set

from ragstead.answering.terms import stem, tokens

_PAIRS = """accept:reject,refuse,deny accelerate:decelerate,slow above:below over:under
add:remove,subtract,deduct advance:retreat
after:before agree:disagree,oppose allow:prohibit,forbid,prevent,ban,disallow ancient:modern
appear:disappear,vanish approve:reject,oppose,disapprove arrive:leave,depart
attract:repel begin:end,finish,conclude,stop start:end,stop,finish,cease best:worst better:worse big:small
biggest:smallest birth:death bottom:top
build:destroy,demolish,dismantle buy:sell cause:prevent cheap:expensive clockwise:counterclockwise
close:open,far closed:open cold:hot,warm complex:simple complicated:simple
connect:disconnect,separate create:destroy deep:shallow decrease:increase,rise,grow
decline:increase,rise,grow defeat:victory,win defend:attack
dependent:independent deterministic:nondeterministic difficult:easy hard:easy,soft dry:wet earliest:latest
early:late earlier:later east:west eastern:western empty:full encourage:discourage
enemy:ally,friend entrance:exit equal:unequal,different even:odd exclude:include
expand:shrink,contract,reduce export:import external:internal extinct:alive fail:succeed
fall:rise,increase false:true fast:slow faster:slower fastest:slowest female:male finite:infinite
first:last,final,second,third former:latter,current forward:backward frequent:rare
common:rare,uncommon,unusual
gain:lose,loss general:specific give:take,receive good:bad great:small greater:lesser,smaller,less
greatest:smallest,least guilty:innocent happy:unhappy,sad heavy:light
high:low higher:lower highest:lowest horizontal:vertical huge:tiny,small important:unimportant
improve:worsen inner:outer inside:outside internal:external join:leave
kill:save,protect large:small larger:smaller largest:smallest last:first late:early later:earlier
latest:earliest lead:follow left:right legal:illegal less:more least:most,greatest
local:global,foreign,national long:short longer:shorter longest:shortest lose:win,gain,keep love:hate
lower:higher,upper,raise major:minor majority:minority many:few max:min maximum:minimum men:women
more:less,fewer most:least,fewest,few multiple:single narrow:wide natural:artificial near:far
negative:positive new:old newest:oldest newer:older next:previous night:day normal:abnormal north:south
northern:southern
often:rarely,seldom old:new,young older:newer,younger oldest:newest,youngest
parallel:sequential,perpendicular past:future peace:war permanent:temporary poor:rich,wealthy
popular:unpopular possible:impossible
presence:absence present:absent,past private:public probable:improbable push:pull raise:lower,reduce
reduce:increase,raise,expand regular:irregular reliable:unreliable
remember:forget reverse:forward rich:poor richest:poorest rise:fall,decline,decrease rural:urban
safe:dangerous same:different,opposite scarce:abundant send:receive,get separate:join,together
short:long,tall
similar:different,dissimilar simple:complex,complicated single:multiple slow:fast,quick
small:large,big,great smaller:larger,greater smallest:largest,greatest solid:liquid,gas
stable:unstable static:dynamic strong:weak stronger:weaker strongest:weakest success:failure summer:winter
support:oppose,reject tall:short temporary:permanent thick:thin
together:apart,separate true:false underestimate:overestimate unite:divide upper:lower upstream:downstream
useful:useless violent:nonviolent voluntary:involuntary,mandatory west:east western:eastern
wide:narrow win:lose,defeat winner:loser with:without worst:best young:old"""
_NEGATION = re.compile(
    r"\b(?:not|never|none|nothing|nobody|neither|nor|without|cannot|except|unable|hardly|rarely|seldom|isnt|wasnt|didnt|doesnt|dont|cant|wont)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:fail(?:ed|s|ure)?|refus(?:e|ed|es|al)|lack(?:ed|s|ing)?|avoid(?:ed|s)?|prevent(?:ed|s)?|impossible|oppos(?:e|ed|es)|reject(?:ed|s)?|den(?:y|ied|ies)|"
    r"un(?!i|der|til|cle)\w{4,}|non-?\w{4,}|dis(?!c|tr|t|p)\w{4,}|in(?:capable|valid|dependent|active|correct|sufficient|frequent)|ir(?:regular|relevant)|il(?:legal))\b",
    re.IGNORECASE,
)
_PREFIXES = ("un", "in", "im", "ir", "il", "non", "dis", "anti", "mis", "de")
_MODIFIERS = frozenset(
    """all always any before after both different each either entire every except first final last latest
    earliest largest smallest
    greatest highest lowest least most less more fewer many few never only other same second third without
    instead rather opposite best worst
    main primary original oldest newest youngest longest shortest strongest weakest once twice half double
    former latter next previous
    exclusively mostly mainly rarely often sometimes usually solely independent despite until since during
    along besides current still""".split()
)


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for entry in _PAIRS.split():
        word, others = entry.split(":")
        for other in others.split(","):
            found.setdefault(stem(word), set()).add(stem(other))
            found.setdefault(stem(other), set()).add(stem(word))
    return {word: frozenset(others) for word, others in found.items()}


OPPOSITES = _opposites()


def stems_of(text: str) -> frozenset[str]:
    """Stems of every word of `text`, function words too."""
    return frozenset(stem(word.lower()) for word, _ in tokens(text))


def opposed(question: Collection[str], evidence: Set[str]) -> int:
    """Number of the question's words that the evidence lacks while it holds an opposite of theirs.

    Opposites are those of `OPPOSITES` and a word with a negating prefix beside the same word without it.
    """
    lacking = [word for word in question if word not in evidence]
    return sum(1 for word in lacking if not _opposites_of(word).isdisjoint(evidence))


def _opposites_of(word: str) -> set[str]:
    bare = {word[len(prefix) :] for prefix in _PREFIXES if word.startswith(prefix) and len(word) > len(prefix) + 3}
    return bare | {prefix + word for prefix in _PREFIXES} | OPPOSITES.get(word, frozenset())


def negated(text: str) -> bool:
    """Whether `text` negates in so many words."""
    return bool(_NEGATION.search(text))


def denies(text: str) -> bool:
    """Whether `text` says that something fails, lacks or is refused, or holds a negated adjective."""
    return bool(_DENIAL.search(text))


def modifiers(text: str) -> frozenset[str]:
    """The words of `text` that order, count or restrict, as written in lower case."""
    return frozenset(word.lower() for word, _ in tokens(text)) & _MODIFIERS
