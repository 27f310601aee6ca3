// What the modules of a live lab hand each other.

/** A control, as tools/live.py writes it: the traits of its widget. */
export interface Traits {
  name: string;
  kind: "slider" | "choice" | "switch" | "seed" | "own";
  label: string;
  // deno-lint-ignore no-explicit-any
  value: any;
  // deno-lint-ignore no-explicit-any
  [trait: string]: any;
}

// deno-lint-ignore no-explicit-any
export type Settings = Record<string, any>;

/** What tools/live.py writes into the page for one lab. */
export interface Given {
  title: string;
  controls: Traits[];
  presets: Record<string, Settings>;
  // deno-lint-ignore no-explicit-any
  facts: any;
}

/** A lab: `Data` is what one computation gives, `Marks` what was drawn once and is moved. */
export interface Experiment<Data, Marks> {
  // deno-lint-ignore no-explicit-any
  compute(settings: any, facts: any): Data;
  /** `set` is for what is moved in the picture itself, a control of the kind "own". */
  // deno-lint-ignore no-explicit-any
  build(figure: HTMLElement, set: (settings: Settings) => void, facts: any): Marks;
  update(marks: Marks, data: Data): void;
  sentence(data: Data): string;
  numbers(data: Data): Record<string, number>;
}

/** A mounted lab, for tests. */
export interface Mounted {
  set(settings: Settings): void;
  flush(): unknown;
}

/** The one-dimensional model of the reference case: z ~ N(0, 1), x | z ~ N(weight z, noiseVariance). */
export interface Model {
  weight: number;
  noiseVariance: number;
  x: number;
}

/** `mean` and `std` are those of the reference case's q. */
export interface ReferenceFacts extends Model {
  mean: number;
  std: number;
  allK: number[];
  points: number;
}

/** A kernel as a function of a squared distance r, its slope dk/dr, and its mean where the difference is Gaussian. */
export interface Profile {
  k: (r: number) => number;
  slope: (r: number) => number;
  mean: (difference: { variance: number; d: number }, offset: number) => number;
}

/** One direction of a chart: `name` turns a tick into words; with `linear` it is logarithmic on both sides of 0. */
export interface Direction {
  from: number;
  to: number;
  ticks?: number[];
  log?: boolean;
  linear?: number;
  label?: string;
  grid?: boolean;
  name?: (tick: number) => string;
}

/** `key`: {words: class of its mark}. */
export interface Chart {
  width?: number;
  height?: number;
  x: Direction;
  y: Direction;
  key: Record<string, string>;
}

/** psi ~ N(0, spread^2), z | psi ~ N(psi, noise^2). */
export interface Mixture {
  spread: number;
  noise: number;
}

/** The law of a log-ratio, top - bend d^2: see mean_mixture.js. */
export interface Ratio {
  dim: number;
  top: number;
  bend: number;
  away: number;
  posteriorAway: number;
  narrow: number;
}

/** A quadrature rule on [-1, 1]. */
export interface Rule {
  nodes: number[];
  weights: number[];
}

/** The q of a lab: so many times as wide as the posterior, and its mean so far beside. */
export interface QSettings {
  width: number;
  shift: number;
}

/** What a gradient is for: q's mean, q's standard deviation, the decoder's weight. */
export type Parameter = "mean" | "std" | "weight";

/** Of one estimate of a gradient. */
export interface Moments {
  mean: number;
  variance: number;
}

/** A row of the table of objectives. */
export type Row = "elbo" | "iwae" | "miwae" | "ciwae" | "stl" | "dreg" | "vr_iwae";
