import type { EdgeFields, Names, Registries, WorkflowDefinition } from "./definition.ts";
import type { NodeFields } from "./node-fields.ts";
import type { Problem } from "./problem.ts";
import type { BranchOf, FieldsOf, KindOf, Mode, ModeOf, RequiredOf } from "./rules.ts";

// The check of a definition by the compiler: a type that asks nothing where the definition is right and a `Problem` where
// it is wrong. What is only known at run time, such as an id of type `string`, is left to the server's validation.

type Nodes = WorkflowDefinition["nodes"];

// A conditional type, so that a message shows the ids and not this name.
type IdOf<All extends Nodes> = keyof All extends infer Id extends string ? Id : never;

type CheckId<All extends Nodes, Id> = Id extends string
  ? string extends Id
    ? unknown
    : Id extends IdOf<All>
      ? unknown
      : Problem<`'${Id}' is not a node of this workflow`, IdOf<All>>
  : unknown;

type CheckBranch<All extends Nodes, From, Branch> = From extends keyof All
  ? Branch extends string
    ? string extends Branch
      ? unknown
      : Branch extends BranchOf<All[From]>
        ? unknown
        : Problem<`'${From & string}' never gives the branch '${Branch}'`, BranchOf<All[From]>>
    : unknown
  : unknown;

type CheckEdge<All extends Nodes, Edge> = Edge extends { readonly from: infer From; readonly to: infer To }
  ? {
      readonly from: CheckId<All, From>;
      readonly to: CheckId<All, To>;
    } & (Edge extends { readonly branch: infer Branch }
      ? { readonly branch: CheckBranch<All, From, Branch> }
      : unknown) &
      Unknown<Exclude<keyof Edge, keyof EdgeFields>, "an edge">
  : unknown;

// Each entry of a list keeps its own type beside its check: an intersection of lists would take a known field for an excess one.
type CheckEdges<All extends Nodes, Edges> = {
  readonly [Index in keyof Edges]: Edges[Index] & CheckEdge<All, Edges[Index]>;
};

type CheckTargets<All extends Nodes, Targets> = Targets extends string
  ? CheckId<All, Targets>
  : { readonly [Index in keyof Targets]: CheckId<All, Targets[Index]> };

type CheckNext<All extends Nodes, Id extends keyof All, Next> = Next extends string | readonly unknown[]
  ? CheckTargets<All, Next>
  : {
      readonly [Branch in keyof Next]: Branch extends "default" | BranchOf<All[Id]>
        ? CheckTargets<All, Next[Branch]>
        : Problem<`'${Id & string}' never gives the branch '${Branch & string}'`, BranchOf<All[Id]> | "default">;
    };

/** Fields that are no fields there. */
type Unknown<Key, Where extends string> = [Key] extends [never]
  ? unknown
  : { readonly [Name in Key & string]: Problem<`'${Name}' is not a field of ${Where}`> };

type Described<Kind, Name> = Kind extends "stage"
  ? `a stage with mode '${Name & string}'`
  : `a node of kind '${Kind & string}'`;

type CheckFields<Node> = Unknown<
  Exclude<keyof Node, FieldsOf<KindOf<Node>, ModeOf<Node>>>,
  Described<KindOf<Node>, ModeOf<Node>>
> & {
  readonly [
    Key in Exclude<RequiredOf<KindOf<Node>, ModeOf<Node>>, keyof Node>
  ]: Problem<`a stage with mode '${ModeOf<Node> & string}' needs '${Key}'`>;
};

/** The fields whose own fields are all known. */
type Closed = Extract<keyof NodeFields, `${string}_policy` | `${string}_contract` | "auto_compact" | "http" | "wait">;

type ExtraKeys<Node, Key extends keyof Node & Closed> = Exclude<keyof Node[Key], keyof NonNullable<NodeFields[Key]>>;

type CheckClosed<Node> = {
  readonly [Key in keyof Node & Closed as [ExtraKeys<Node, Key>] extends [never] ? never : Key]: Unknown<
    ExtraKeys<Node, Key>,
    `'${Key}'`
  >;
};

type CheckMode<Node> =
  ModeOf<Node> extends Mode | "default"
    ? unknown
    : string extends ModeOf<Node>
      ? unknown
      : KindOf<Node> extends "stage" | "map"
        ? { readonly mode: Problem<`'${ModeOf<Node>}' is not a mode`, Mode> }
        : unknown;

type NameIn<Registry> = Registry extends Names ? Registry["names"][number] : string;

type CheckName<Name, Registry, What extends string> = Name extends string
  ? string extends Name
    ? unknown
    : Name extends NameIn<Registry>
      ? unknown
      : Problem<`no ${What} '${Name}' is registered`, NameIn<Registry>>
  : unknown;

type CheckFunction<Node, Known extends Registries> = Node extends { readonly function: infer Name }
  ? {
      readonly function: KindOf<Node> extends "reduce"
        ? CheckName<Name, Known["reducers"], "reducer">
        : CheckName<Name, Known["functions"], "function">;
    }
  : unknown;

type CheckHandler<Node, Known extends Registries> = Node extends { readonly person: { readonly handler: infer Name } }
  ? { readonly person: { readonly handler: CheckName<Name, Known["functions"], "function"> } }
  : unknown;

type CheckTool<Tool, Known extends Registries> = Tool extends
  | { readonly http: object }
  | { readonly client: true }
  | { readonly mcp: object }
  ? unknown
  : Tool extends { readonly name: infer Name }
    ? { readonly name: CheckName<Name, Known["tools"], "tool"> }
    : unknown;

type CheckTools<Node, Known extends Registries> = Node extends { readonly tools: infer Tools }
  ? {
      readonly tools: Tools extends readonly unknown[]
        ? { readonly [Index in keyof Tools]: Tools[Index] & CheckTool<Tools[Index], Known> }
        : CheckTool<Tools, Known>;
    }
  : unknown;

/** The branches that lead on from a node, by its own `next` and by the edges. */
type LedOn<Id, Node, Edges> =
  | (Edges extends readonly (infer Edge)[]
      ? Edge extends { readonly from: Id; readonly branch: infer Branch }
        ? Branch
        : never
      : never)
  | (Node extends { readonly next: infer Next } ? keyof Next : never);

type CheckCondition<Id, Node, Edges> =
  KindOf<Node> extends "condition"
    ? Edges extends readonly unknown[]
      ? number extends Edges["length"]
        ? unknown
        : Missing<Exclude<"true" | "false", LedOn<Id, Node, Edges>>, Id>
      : unknown
    : unknown;

type Missing<Branch extends string, Id> = [Branch] extends [never]
  ? unknown
  : { readonly kind: Problem<`the condition '${Id & string}' has no edge for one of its branches`, Branch> };

type EdgesOf<Definition> = Definition extends { readonly edges: infer Edges } ? Edges : readonly [];

type CheckNode<
  Definition extends WorkflowDefinition,
  Id extends keyof Definition["nodes"],
  Known extends Registries,
> = CheckFields<Definition["nodes"][Id]> &
  CheckClosed<Definition["nodes"][Id]> &
  CheckMode<Definition["nodes"][Id]> &
  CheckFunction<Definition["nodes"][Id], Known> &
  CheckHandler<Definition["nodes"][Id], Known> &
  CheckTools<Definition["nodes"][Id], Known> &
  CheckCondition<Id, Definition["nodes"][Id], EdgesOf<Definition>> &
  (Definition["nodes"][Id] extends { readonly next: infer Next }
    ? { readonly next: CheckNext<Definition["nodes"], Id, Next> }
    : unknown);

type CheckAll<Definition extends WorkflowDefinition, Known extends Registries> = {
  readonly entry: CheckId<Definition["nodes"], Definition["entry"]>;
  readonly nodes: { readonly [Id in keyof Definition["nodes"]]: CheckNode<Definition, Id, Known> };
} & (Definition extends { readonly edges: infer Edges }
  ? { readonly edges: CheckEdges<Definition["nodes"], Edges> }
  : unknown) &
  Unknown<Exclude<keyof Definition, keyof WorkflowDefinition>, "a workflow">;

/**
 * What a definition has to be besides its own type: nothing where it is right, a `Problem` at each place that is wrong.
 * A definition whose ids are not known to the compiler is not checked; nor is one with a field of the wrong type, so that
 * this alone is reported.
 */
export type Check<
  Definition extends WorkflowDefinition,
  Known extends Registries,
> = string extends keyof Definition["nodes"] ? unknown : CheckAll<Definition, Known>;
