export {select} from 'd3-selection';
export {interrupt} from 'd3-transition';
export {zoom, zoomIdentity} from 'd3-zoom';
export {default as KDBush} from 'kdbush';
export {
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  ColorManagement,
  LinearSRGBColorSpace,
  OrthographicCamera,
  Points,
  PointsMaterial,
  Scene,
  WebGLRenderer
} from 'three';
