// What is stored of trained models and recorded runs: site/live/data/, by tools/page_vae.py and tools/replays.py.

export interface StoredLayer {
  inputs: number;
  outputs: number;
  scales: number[];
  /** One signed byte a weight, row by row, in base64. */
  weights: string;
  biases: number[];
}

export interface StoredVae {
  encoder: StoredLayer[];
  decoder: StoredLayer[];
  grid: { step: number; reach: number };
  choices: { label: number; pixels: string }[];
}

export interface Layer {
  inputs: number;
  outputs: number;
  weight: Float64Array;
  bias: Float64Array;
}

export interface Turn {
  step: number;
  preset: string;
  words: string;
}

export interface StoredFrame {
  reach: number;
  z: string;
  samples?: string;
  rebuilt?: string;
}

export interface StoredRun {
  name: string;
  turns: Turn[];
  history: number[][];
  frames: StoredFrame[];
}

export interface Recording {
  made: { seed: number };
  steps: number;
  between: number;
  columns: string[];
  labels: string;
  originals?: string;
  runs: StoredRun[];
}
