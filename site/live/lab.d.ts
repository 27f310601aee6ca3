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

/** The one-dimensional model of lab "03.iwae": z ~ N(0, 1), x | z ~ N(weight z, noiseVariance). */
export interface Model {
  weight: number;
  noiseVariance: number;
  x: number;
}

export interface Facts extends Model {
  allK: number[];
  points: number;
}

/** A kernel as a function of a squared distance r, its slope dk/dr, and its mean where the difference is Gaussian. */
export interface Profile {
  k: (r: number) => number;
  slope: (r: number) => number;
  mean: (difference: { variance: number; d: number }, offset: number) => number;
}

/** One direction of a chart: `name` turns a tick into words. */
export interface Direction {
  from: number;
  to: number;
  ticks?: number[];
  log?: boolean;
  label?: string;
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
