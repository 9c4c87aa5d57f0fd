"""The demo model for training: transformers' Qwen3Next modules and weights, run by forwards that are quick on a GPU.

Owns the shape and its budget, the chunked delta rule, a dense form of the experts, the draft (MTP) layer's forward
and the loss. The modules and their initial weights are transformers' own (golden_checkpoint.py builds them); check()
compares every forward here with theirs.

The budget: one BF16 GGUF well below 30,000,000 bytes that also trains on two CPU cores in an evening; 12.6 million
parameters.
  - 4 layers, one period of the interval 4 (three gated delta nets, one attention), hidden 256, a row of the K-quants.
    Eight layers fit the file as well, but on a CPU they see about half as many tokens in the same time. Which of the
    two would come out better was not measured.
  - attention 4 heads, 2 for keys, size 128; delta net 2 key and 4 value heads of 128: sizes that other programs have
    fast paths for, and value heads grouped two to a key head as in the released models.
  - 8 experts of 256, 2 used, and a shared one of 256: so every matrix has rows of 256, which K-quants need.
  - 4096 tokens of our own, tied head: the generator has about 1,700 words that it uses often, so the rest of the
    budget is better spent on layers. Tied: a head of its own costs another 2.1 MB.
  size(CASE) counts all this and train.py prints it.
"""

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch
import torch.nn.functional as F
from golden_checkpoint import EPS, Case, Draft, hf_class, make_config

CASE = Case(
    name="demo",
    arch="qwen3next",
    seed=1,
    hidden=256,
    layers=4,
    q_heads=4,
    kv_heads=2,
    head_dim=128,
    rotary=0.25,
    theta=1e5,
    k_heads=2,
    v_heads=4,
    gdn_dim=128,
    ff=256,
    shared_ff=256,
    vocab=4096,
    experts=8,
    top_k=2,
    tied=True,
    mtp=True,
    bf16=True,
)
TINY = Case(
    name="tiny",
    arch="qwen3next",
    seed=1,
    hidden=64,
    layers=4,
    q_heads=2,
    kv_heads=1,
    head_dim=32,
    rotary=0.25,
    theta=1e5,
    k_heads=1,
    v_heads=2,
    gdn_dim=32,
    ff=32,
    shared_ff=64,
    vocab=4096,
    experts=4,
    top_k=2,
    tied=True,
    mtp=True,
    bf16=True,
)
CASES = {"demo": CASE, "tiny": TINY}
CHUNK, SOLVED = 64, 16
FORGET = -40.0  # log decay at the first token of a document: what was before is multiplied by 4e-18
AUX, DRAFT_WEIGHT = 0.005, 0.2


class UnitLowerInverse(torch.autograd.Function):
    """(I + L)^-1 for strictly lower L [..., C, C]: substitution in blocks of 16, joined by matrix products.

    A power series would need fewer steps, but its terms grow beyond float32 when keys repeat.
    """

    @staticmethod
    def forward(ctx, lower):
        size = lower.shape[-1]
        blocks = [lower[..., i : i + SOLVED, i : i + SOLVED] for i in range(0, size, SOLVED)]
        t = -torch.stack(blocks, -3)
        for i in range(1, SOLVED):
            row = t[..., i, :i]
            t[..., i, :i] = row + (row.unsqueeze(-1) * t[..., :i, :i].clone()).sum(-2)
        t = t + torch.eye(SOLVED, dtype=t.dtype, device=t.device)
        out = torch.zeros_like(lower)
        for n, i in enumerate(range(0, size, SOLVED)):
            out[..., i : i + SOLVED, i : i + SOLVED] = t[..., n, :, :]
        step = SOLVED
        while step < size:
            for i in range(0, size, 2 * step):
                a, b = slice(i, i + step), slice(i + step, i + 2 * step)
                out[..., b, a] = -(out[..., b, b] @ lower[..., b, a] @ out[..., a, a])
            step *= 2
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx, grad):
        (t,) = ctx.saved_tensors
        u = t.transpose(-1, -2)
        return -(u @ grad @ u).tril(-1)


def chunk_delta_rule(q, k, v, g, beta):
    """The gated delta rule over whole sequences, from a state of zeros.

    q, k [B, Hk, T, dk] normalised, v [B, Hv, T, dv], g and beta [B, Hv, T]; all float32. Value head h reads key head
    h / (Hv / Hk). Returns [B, Hv, T, dv].
    """
    b, heads, time, dv = v.shape
    ratio, pad = heads // k.shape[1], -time % CHUNK
    if pad:
        q, k, v = (F.pad(x, (0, 0, 0, pad)) for x in (q, k, v))
        g, beta = (F.pad(x, (0, pad)) for x in (g, beta))
    count = (time + pad) // CHUNK
    q, k, v = (x.reshape(b, x.shape[1], count, CHUNK, -1) for x in (q * q.shape[-1] ** -0.5, k, v))
    g, beta = (x.reshape(b, heads, count, CHUNK) for x in (g, beta))
    spread = lambda x: x.repeat_interleave(ratio, 1) if ratio > 1 else x
    total = g.cumsum(-1)
    below = torch.ones(CHUNK, CHUNK, dtype=torch.bool, device=v.device).tril()
    decay = (total.unsqueeze(-1) - total.unsqueeze(-2)).masked_fill(~below, -math.inf).exp()
    lower = (spread(k @ k.mT) * decay * beta.unsqueeze(-1)).tril(-1)
    inner = spread(q @ k.mT) * decay
    k, q = spread(k), spread(q)
    solve = UnitLowerInverse.apply(lower) * beta.unsqueeze(-2)
    new = solve @ v
    seen = solve @ (k * total.exp().unsqueeze(-1))
    q = q * total.exp().unsqueeze(-1)
    k = (k * (total[..., -1:] - total).exp().unsqueeze(-1)).mT
    last = total[..., -1].exp()[..., None, None]
    state, out = v.new_zeros(b, heads, k.shape[-2], dv), []
    # unbind: gradients of the pieces are stacked once, not added into zeros once a piece.
    for new_c, seen_c, q_c, inner_c, k_c, last_c in zip(*(x.unbind(2) for x in (new, seen, q, inner, k, last))):
        fresh = new_c - seen_c @ state
        out.append(q_c @ state + inner_c @ fresh)
        state = state * last_c + k_c @ fresh
    return torch.stack(out, 2).reshape(b, heads, time + pad, dv)[:, :, :time]


def l2norm(x):
    return x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-6)


def short_conv(x, weight, doc):
    """Causal convolution of x [B, T, C] with the taps of weight [C, 1, K] that does not look into another document."""
    taps = weight[:, 0].to(x.dtype)
    y = x * taps[:, -1]
    for back in range(1, taps.shape[1]):
        same = (doc[:, back:] == doc[:, :-back]).unsqueeze(-1)
        y = y + F.pad(x[:, :-back] * same, (0, 0, back, 0)) * taps[:, -1 - back]
    return F.silu(y)


def conv_and_split(m, x, doc):
    qkvz, ba = m.in_proj_qkvz(x), m.in_proj_ba(x)
    q, k, v, z, b, a = m.fix_query_key_value_ordering(qkvz, ba)
    flat = torch.cat([part.flatten(2) for part in (q, k, v)], -1)
    y = short_conv(flat, m.conv1d.weight, doc).float()
    q, k, v = y.split([m.key_dim, m.key_dim, m.value_dim], -1)
    heads = lambda part, width: part.unflatten(-1, (-1, width)).transpose(1, 2)
    first = torch.zeros_like(doc, dtype=torch.bool)
    first[:, 1:] = doc[:, 1:] != doc[:, :-1]
    g = -m.A_log.float().exp() * F.softplus(a.float() + m.dt_bias.float())
    g = torch.where(first.unsqueeze(-1), torch.full_like(g, FORGET), g)
    return (
        l2norm(heads(q, m.head_k_dim)),
        l2norm(heads(k, m.head_k_dim)),
        heads(v, m.head_v_dim),
        g.transpose(1, 2),
        b.float().sigmoid().transpose(1, 2),
        z,
    )


def gate_and_project(m, o, z):
    o = o.transpose(1, 2)
    o = o * torch.rsqrt(o.pow(2).mean(-1, keepdim=True) + EPS) * m.norm.weight.float() * F.silu(z.float())
    return m.out_proj(o.flatten(2).to(z.dtype))


def delta_net(m, x, doc):
    """transformers' Qwen3NextGatedDeltaNet; a new document starts from a state of zeros."""
    *parts, z = conv_and_split(m, x, doc)
    with torch.autocast(x.device.type, enabled=False):
        o = chunk_delta_rule(*parts)
    return gate_and_project(m, o, z)


def by_document(q, k, v, lengths, scale):
    """Causal attention of each document by itself: on a CPU the products that a mask would undo cost most of a step."""
    rows = []
    for row, of_row in enumerate(lengths):
        parts = zip(*(x[row : row + 1].split(of_row, 2) for x in (q, k, v)))
        rows.append(torch.cat([F.scaled_dot_product_attention(*p, is_causal=True, scale=scale) for p in parts], 2))
    return torch.cat(rows)


def attention(m, x, rotary, bias):
    """transformers' Qwen3NextAttention within documents: `bias` is an additive mask or, a row, their lengths."""
    from transformers.models.qwen3_next.modeling_qwen3_next import apply_rotary_pos_emb

    b, t, _ = x.shape
    q, gate = m.q_proj(x).view(b, t, -1, 2 * m.head_dim).chunk(2, -1)
    q = m.q_norm(q).transpose(1, 2)
    k = m.k_norm(m.k_proj(x).view(b, t, -1, m.head_dim)).transpose(1, 2)
    v = m.v_proj(x).view(b, t, -1, m.head_dim).transpose(1, 2)
    q, k = apply_rotary_pos_emb(q, k, *rotary)
    k, v = (y.to(v.dtype).repeat_interleave(m.num_key_value_groups, 1) for y in (k, v))
    q = q.to(v.dtype)
    if isinstance(bias, list):
        o = by_document(q, k, v, bias, m.scaling)
    else:
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(v.dtype), scale=m.scaling)
    return m.o_proj(o.transpose(1, 2).reshape(b, t, -1) * torch.sigmoid(gate.reshape(b, t, -1)))


def experts(m, x, top_k):
    """transformers' Qwen3NextSparseMoeBlock. Returns (y, load balancing loss)."""
    shape, x = x.shape, x.flatten(0, 1)
    with torch.autocast(x.device.type, enabled=False):
        p = F.linear(x.float(), m.gate.weight.float()).softmax(-1)
    top, index = p.topk(top_k, -1)
    top = top / top.sum(-1, keepdim=True)
    weight = torch.zeros_like(p).scatter(-1, index, top)
    y = all_experts(m.experts, x, weight) if x.is_cuda else chosen_experts(m.experts, x, top, index)
    y = y + torch.sigmoid(m.shared_expert_gate(x)) * m.shared_expert(x)
    balance = p.shape[-1] * ((weight > 0).float().mean(0) * p.mean(0)).sum()
    return y.view(shape), balance


def all_experts(m, x, weight):
    """All experts on all tokens, weighted by a router that is zero for those not chosen.

    Four times the needed products, but two large ones instead of many small ones, and nothing waits for the host.
    """
    e, double, d = m.gate_up_proj.shape
    gate, up = F.linear(x, m.gate_up_proj.reshape(e * double, d)).view(-1, e, 2, double // 2).unbind(2)
    h = F.silu(gate) * up * weight.to(gate.dtype).unsqueeze(-1)
    return F.linear(h.flatten(1), m.down_proj.transpose(0, 1).reshape(d, -1))


def chosen_experts(m, x, top, index):
    """Each expert on its tokens: on a CPU products cost more than gathering."""
    order = index.flatten().argsort(stable=True)
    token = order // index.shape[-1]
    counts = index.flatten().bincount(minlength=len(m.gate_up_proj)).tolist()
    parts = []
    for of_expert, gate_up, down in zip(x[token].split(counts), m.gate_up_proj.unbind(), m.down_proj.unbind()):
        gate, up = F.linear(of_expert, gate_up).chunk(2, -1)
        parts.append(F.linear(F.silu(gate) * up, down))
    y = torch.cat(parts)
    return torch.zeros_like(x, dtype=y.dtype).index_add(0, token, y * top.flatten()[order].unsqueeze(-1).to(y.dtype))


def prediction_loss(hidden, weight, wanted):
    return F.cross_entropy(F.linear(hidden, weight).float().flatten(0, 1), wanted.flatten())


def compile_parts():
    """Lets torch.compile join what is done element by element; on a CPU a step takes half the time.

    Not the whole step: the unrolled loop over the chunks of the delta rule would be compiled for minutes.
    """
    for name in ("conv_and_split", "gate_and_project", "prediction_loss"):
        globals()[name] = torch.compile(globals()[name])


class Trainee(torch.nn.Module):
    """transformers' causal model as `model`, the draft layer as `draft`."""

    def __init__(self, case, end=None):
        super().__init__()
        torch.manual_seed(case.seed)
        config = make_config(case)
        self.case, self.end = case, case.vocab if end is None else end
        self.model = (
            hf_class(case.arch, "ForCausalLM")
            ._from_config(config, attn_implementation="eager", experts_implementation="eager")
            .float()
        )
        self.model.tie_weights()
        self.draft = Draft(case, config).float()
        self.apply_start()

    @torch.no_grad()
    def apply_start(self):
        """What differs from transformers' start: draft matrices, small outputs, slower decays."""
        for name, p in self.draft.named_parameters():
            if p.ndim > 1:
                torch.nn.init.normal_(p, std=0.02)
        for name, p in self.named_parameters():
            if name.endswith(("o_proj.weight", "out_proj.weight", "down_proj.weight", "experts.down_proj")):
                p.mul_((2 * self.case.layers) ** -0.5)
            if name.endswith("A_log"):  # half-lives from a few tokens to thousands: softplus(dt) * exp(A_log)
                p.copy_(torch.linspace(math.log(0.002), math.log(0.5), p.numel()))
            if name.endswith("dt_bias"):
                p.fill_(0.5)

    def layer(self, m, x, rotary, bias, doc):
        y = m.input_layernorm(x)
        if hasattr(m, "linear_attn"):
            x = x + delta_net(m.linear_attn, y, doc)
        else:
            x = x + attention(m.self_attn, y, rotary, bias)
        y, balance = experts(m.mlp, m.post_attention_layernorm(x), self.case.top_k)
        return x + y, balance

    def documents(self, ids):
        """[B, T] number of the document that a token is in."""
        ends = (ids == self.end).cumsum(1)
        return F.pad(ends[:, :-1], (1, 0))

    @staticmethod
    def mask(doc, dtype):
        time = doc.shape[1]
        causal = torch.ones(time, time, dtype=torch.bool, device=doc.device).tril()
        seen = (doc.unsqueeze(2) == doc.unsqueeze(1)) & causal
        half = torch.is_autocast_enabled(doc.device.type)
        return (
            torch.zeros(seen.shape, dtype=torch.bfloat16 if half else dtype, device=doc.device)
            .masked_fill(~seen, -math.inf)
            .unsqueeze(1)
        )

    @staticmethod
    def lengths(doc):
        return [torch.unique_consecutive(row, return_counts=True)[1].tolist() for row in doc]

    def trunk(self, ids):
        """(hidden after the final norm, rotary, bias, documents, balance)."""
        base = self.model.model
        doc = self.documents(ids)
        time = ids.shape[1]
        x = base.embed_tokens(ids)
        bias = self.mask(doc, x.dtype) if ids.is_cuda else self.lengths(doc)
        rotary = base.rotary_emb(x, torch.arange(time, device=ids.device)[None])
        balances = []
        for layer in base.layers:
            x, balance = self.layer(layer, x, rotary, bias, doc)
            balances.append(balance)
        return base.norm(x), rotary, bias, doc, torch.stack(balances).mean()

    def drafted(self, ids, hidden, rotary, bias, doc):
        """[B, T, D]: at position p, from hidden p and token p+1, the normed hidden of a guess at token p+2.

        The last position sees token 0 in place of an unknown one; nothing may be read from it.
        """
        m = self.draft
        following = F.pad(ids[:, 1:], (0, 1))
        e = self.model.model.embed_tokens(following)
        x = m.fc(torch.cat([m.pre_fc_norm_embedding(e), m.pre_fc_norm_hidden(hidden)], -1))
        x, balance = self.layer(m.layers[0], x, rotary, bias, doc)
        return m.norm(x), balance

    def head(self, hidden):
        return F.linear(hidden, self.model.model.embed_tokens.weight)

    def losses(self, ids):
        """(loss of the next token, of the draft, balance). Nothing is predicted after an end of text."""
        hidden, rotary, bias, doc, balance = self.trunk(ids)
        drafted, balance2 = self.drafted(ids, hidden, rotary, bias, doc)
        inside = ids != self.end
        one = torch.where(inside[:, :-1], ids[:, 1:], -100)
        two = torch.where(inside[:, :-2] & inside[:, 1:-1], ids[:, 2:], -100)
        weight = self.model.model.embed_tokens.weight
        loss = prediction_loss(hidden[:, :-1], weight, one)
        draft = prediction_loss(drafted[:, :-2], weight, two)
        return loss, draft, balance + balance2


def tensors(trainee):
    """All tensors by their checkpoint name, in float32; the matrices rounded to bf16 as they are stored."""
    from golden_checkpoint import KEPT_F32, split_experts

    state = {n: p.detach().float().cpu() for n, p in trainee.model.state_dict().items() if n != "lm_head.weight"}
    state = split_experts(state) | split_experts(
        {"mtp." + n: p.detach().float().cpu() for n, p in trainee.draft.state_dict().items()}
    )
    keep = lambda n, p: n.endswith(KEPT_F32)
    return {n: (p if keep(n, p) else p.bfloat16().float()).clone().contiguous() for n, p in sorted(state.items())}


@torch.no_grad()
def load_tensors(trainee, named):
    """The inverse of tensors()."""
    from golden_checkpoint import fuse_experts

    # Without its prefix the draft layer is fused like the others, as its module has it.
    draft = {n.removeprefix("mtp."): p for n, p in named.items() if n.startswith("mtp.")}
    trunk = fuse_experts({n: p for n, p in named.items() if not n.startswith("mtp.")}, trainee.case.experts)
    trunk["lm_head.weight"] = trunk["model.embed_tokens.weight"]
    trainee.model.load_state_dict({n: p.float() for n, p in trunk.items()})
    trainee.draft.load_state_dict({n: p.float() for n, p in fuse_experts(draft, trainee.case.experts).items()})


def size(case):
    """(parameters, bytes of the tensors in a BF16 GGUF)."""
    d, f, s = case.hidden, case.ff, case.shared_ff or case.ff
    gdn = d * 2 * (case.k_heads + case.v_heads) * case.gdn_dim + case.v_heads * case.gdn_dim * d + 2 * case.v_heads * d
    gdn32 = 4 * (2 * case.k_heads + case.v_heads) * case.gdn_dim + 2 * case.v_heads + case.gdn_dim
    full = d * case.head_dim * (2 * case.q_heads + 2 * case.kv_heads) + case.q_heads * case.head_dim * d
    ffn, ffn32 = 3 * d * (case.experts * f + s), case.experts * d + d
    layers = case.layers + 1
    full_layers = sum(case.is_attention(i) for i in range(layers))
    half = (
        case.vocab * d * (1 if case.tied else 2)
        + full_layers * full
        + (layers - full_layers) * gdn
        + layers * ffn
        + 2 * d * d
    )
    single = (layers - full_layers) * gdn32 + full_layers * 2 * case.head_dim + layers * (ffn32 + 2 * d) + 4 * d
    return half + single, 2 * half + 4 * single


def check(case=TINY, time=150):
    """Largest relative differences between the forwards here and transformers' modules."""
    from golden_checkpoint import randomise
    import numpy as np

    trainee = Trainee(case).eval()
    rng = np.random.Generator(np.random.PCG64(5))
    randomise(trainee.model, case, rng)
    randomise(trainee.draft, case, rng)
    ids = torch.from_numpy(rng.integers(0, case.vocab - 1, (2, time)))
    with torch.no_grad():
        want = trainee.model(input_ids=ids, use_cache=False).logits
        hidden, rotary, bias, doc, _ = trainee.trunk(ids)
        got = trainee.head(hidden)
        x = torch.from_numpy(rng.standard_normal((2, time, case.hidden))).float()
        first, last = trainee.model.model.layers[0], trainee.model.model.layers[3]
        mixed, theirs_mixed = delta_net(first.linear_attn, x, doc), first.linear_attn(x)
        mask = trainee.mask(doc, x.dtype)
        attended, theirs_attended = attention(last.self_attn, x, rotary, bias), last.self_attn(x, rotary, mask)[0]
        masked = attention(last.self_attn, x, rotary, mask)
        routed, theirs_routed = experts(first.mlp, x, case.top_k)[0], first.mlp(x)
        weight = F.linear(x, first.mlp.gate.weight).softmax(-1).flatten(0, 1)
        flat, (top, index) = x.flatten(0, 1), weight.topk(case.top_k, -1)
        spread = torch.zeros_like(weight).scatter(-1, index, top)
        dense, chosen = all_experts(first.mlp.experts, flat, spread), chosen_experts(first.mlp.experts, flat, top, index)
        theirs = trainee.draft(
            trainee.model.model.embed_tokens(ids[0, 1:]), hidden[0, :-1], trainee.model.model.rotary_emb
        )
        ours, _ = trainee.drafted(ids, hidden, rotary, bias, doc)
        # Two documents in a row give what each gives alone.
        trainee.end = case.vocab - 1
        joined = torch.cat([ids[0, :70], torch.tensor([trainee.end]), ids[1, :70]])[None]
        both = trainee.head(trainee.trunk(joined)[0])[0, 71:]
        alone = trainee.head(trainee.trunk(ids[1:, :70])[0])[0]
    weight = first.linear_attn.in_proj_qkvz.weight
    slope = lambda y: torch.autograd.grad(y.square().sum(), weight)[0]
    slopes = slope(delta_net(first.linear_attn, x, torch.zeros_like(doc))), slope(first.linear_attn(x))
    off = lambda a, b: ((a - b).abs().max() / b.abs().max()).item()
    return {
        "delta net": off(mixed, theirs_mixed),
        "attention": off(attended, theirs_attended),
        "attention of a GPU": off(masked, theirs_attended),
        "experts": off(routed, theirs_routed),
        "experts of a GPU": off(dense, chosen),
        "gradient": off(*slopes),
        "trunk": off(got, want),
        "draft": off(ours[0, :-1], theirs),
        "documents": off(both, alone),
    }


if __name__ == "__main__":
    print(f"{CASE.name}: {size(CASE)[0]:,} parameters, {size(CASE)[1]:,} bytes of tensors")
    for name, value in check().items():
        print(f"{name}: largest difference {value:.1e} of the largest value")
        if value > (5e-5 if name in ("trunk", "documents") else 1e-5):  # layers of random weights add up
            raise SystemExit("too large")
